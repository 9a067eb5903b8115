// Low-rank adapters: what fine-tuning adds to linear maps that stay as they are. LoRA (Hu et al. 2021, arXiv 2106.09685),
// its rank-stabilised scale (arXiv 2312.03732) and DoRA (arXiv 2402.09353).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "nn/adapter.h"

namespace quern::nn {

struct LoraSpec {
  int64_t rank = 8;
  double scale = 1.0;       // of what is added: alpha / rank, or alpha / sqrt(rank)
  double dropout = 0.0;     // of what enters A, while training
  bool magnitudes = false;  // DoRA
};

// One module of the published model, under its path there ("model.layers.0.self_attn.q_proj"). It may be several
// parameters here, where a checkpoint joins them (GPT-2's c_attn): they share A, and each has its rows of B.
struct LoraModule {
  struct Part {
    const Parameter* weight;             // [out, in], of the model
    Parameter b;                         // [out, rank]
    std::optional<Parameter> magnitude;  // [out]: of DoRA
    Tensor gain = {};                    // of a frozen adapter: see LoraAdapter::freeze
  };

  std::string name;
  LoraSpec spec;
  Parameter a;  // [rank, in]
  std::vector<Part> parts;
};

// A table of the model, under its path in the published one ("model.embed_tokens"), some of whose rows are the adapter's own.
struct TokenTable {
  std::string name;
  const Parameter* weight;    // [V, C], of the model
  bool embeds, makes_logits;  // both where the head is tied
  TokenRows rows;
};

// y = x·W^T + scale · (x·A^T)·B^T + bias for each map it changes; with magnitudes m, the rows of W + scale · B·A get the
// length m, whose gradient does not flow into the length they had.
class LoraAdapter final : public Adapter {
 public:
  // A new A is normal with the variance that PEFT's has, and B is 0: training starts from the model as it is. The first magnitudes are
  // the caller's. Throws ShapeError unless `weights` are matrices of one width.
  void add(std::string name, std::span<const Parameter* const> weights, const LoraSpec& spec);

  // Throws ShapeError unless the rows are as wide as the table, and below its end.
  void add(TokenTable table);

  bool changes(const Parameter& weight) const override { return places_.contains(&weight); }
  Tensor change(const Parameter& weight, const Tensor& bias, const Tensor& x, const Tensor& y,
                const DropoutState& dropout) const override;
  const TokenRows* embedding_rows() const override { return rows_of(&TokenTable::embeds); }
  const TokenRows* head_rows() const override { return rows_of(&TokenTable::makes_logits); }
  void freeze() override;
  // f32 [out, in]: what W becomes. Precondition: changes(weight).
  Tensor merged(const Parameter& weight) const;

  std::vector<LoraModule>& modules() { return modules_; }
  const std::vector<LoraModule>& modules() const { return modules_; }
  const std::vector<TokenTable>& tables() const { return tables_; }
  void visit(const Visitor& visitor, const std::string& prefix = {}) override;

 private:
  struct Place {
    size_t module, part;
  };
  const TokenRows* rows_of(bool TokenTable::*use) const;

  std::vector<LoraModule> modules_;
  std::vector<TokenTable> tables_;
  std::unordered_map<const Parameter*, Place> places_;
};

// f32 [out]: the lengths of the rows of W + scale · B·A.
Tensor row_lengths(const LoraModule& module, const LoraModule::Part& part);

}  // namespace quern::nn
