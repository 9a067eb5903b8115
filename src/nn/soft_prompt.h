// Prompt tuning (Lester et al. 2021, arXiv 2104.08691): embeddings that no token has, before every text.
#pragma once

#include "nn/adapter.h"

namespace quern::nn {

// Virtual token i has row i of the parameter "prompt_embeddings" [n, C] for its embedding, as it enters the model: scaled
// already where a model scales the embeddings of tokens.
class SoftPrompt final : public Adapter {
 public:
  // Rows of no value: assign them.
  SoftPrompt(int64_t tokens, int64_t channels) : rows_(Shape{tokens, channels}, Init{0.0, 1.0}) {}

  int64_t virtual_tokens() const override { return rows_.shape()[0]; }
  Tensor embeddings(const Tensor& x, const Tensor& which) const override;
  void visit(const Visitor& visitor, const std::string& prefix = {}) override;

  Parameter& rows() { return rows_; }
  const Parameter& rows() const { return rows_; }

 private:
  Parameter rows_;
};

}  // namespace quern::nn
