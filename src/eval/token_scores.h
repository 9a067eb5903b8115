// What a model's distributions say of the tokens that came, and how far those of two models lie apart.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace quern::eval {

struct TokenScore {
  int64_t position = 0;  // of the token in its text
  double nll = 0.0;      // -ln of its probability
  // Only where there is a base model to compare with:
  double base_nll = 0.0;
  double kl = 0.0;        // Kullback-Leibler divergence of the model from the base, in nats
  bool same_top = false;  // both hold the same token likeliest
};

// Fills nll of `scores`: row i of `logits` (f32 [R, V]) is the distribution of targets[i]. Sums over the
// vocabulary are taken in double precision, each row by one thread.
void score_rows(const Tensor& logits, std::span<const int32_t> targets, std::span<TokenScore> scores);
// The same, and all that compares them with the rows of a base model. The likeliest token is the first of
// equals.
void score_rows(const Tensor& logits, const Tensor& base_logits, std::span<const int32_t> targets,
                std::span<TokenScore> scores);

}  // namespace quern::eval
