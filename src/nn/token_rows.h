// Tokens whose vectors are learnt beside a table that stays as it is: how words that are new to a model come to mean
// something (PEFT's trainable_token_indices).
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "nn/module.h"

namespace quern::nn {

// Row i, of the parameter [n, C], stands for that of token ids()[i] in the table. Thread-safe when it is frozen.
class TokenRows final : public Module {
 public:
  // What PEFT calls the parameter, behind the path of the table.
  static constexpr std::string_view kPeftName = ".token_adapter.trainable_tokens_delta";

  // Rows of no value: assign them. Precondition: each id is there once.
  TokenRows(std::vector<int32_t> ids, int64_t channels);

  const std::vector<int32_t>& ids() const { return ids_; }
  Parameter& rows() { return rows_; }
  const Parameter& rows() const { return rows_; }

  // x [..., C], the embeddings of `tokens` (i32) out of the table, with those of these tokens in their places, times `scale`.
  Tensor embeddings(const Tensor& x, const Tensor& tokens, double scale) const;
  // Puts what these tokens' rows of a head make of states [n, C], with `bias` [V] where it is defined, into logits [n, V] of
  // the states' dtype, without a gradient.
  void put_logits(const Tensor& states, const Tensor& bias, const Tensor& logits) const;
  // The table [V, C] with these rows, in f32.
  Tensor merged(const Tensor& table) const;

  void visit(const Visitor& visitor, const std::string& prefix = {}) override;

 private:
  std::vector<int32_t> ids_;
  std::unordered_map<int32_t, int32_t> places_;  // of the ids
  Parameter rows_;
};

}  // namespace quern::nn
