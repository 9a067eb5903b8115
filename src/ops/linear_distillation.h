// The loss of a student beside its teacher, fused with both output projections.
#pragma once

#include <cstdint>

#include "ops/output_head.h"
#include "tensor/tensor.h"

namespace quern::ops {

// How far the distribution q of a student is from p, that of its teacher.
enum class Divergence : uint8_t {
  forward_kl,     // KL(p | q), the sum of p log(p / q)
  reverse_kl,     // KL(q | p)
  jensen_shannon  // beta KL(p | m) + (1 - beta) KL(q | m), m = beta p + (1 - beta) q
};

struct DistillationOptions {
  double share = 0.5;        // of the divergence in the loss, from 0 to 1
  double temperature = 1.0;  // of both distributions in it, > 0
  Divergence divergence = Divergence::forward_kl;
  double beta = 0.5;    // of jensen_shannon, above 0 and below 1: the teacher's part in the mixture
  Tensor weights = {};  // wide [N]: the factor of each row; undefined = 1
  int64_t chunk_rows =
      0;  // rows of logits computed at a time, of both; 0 = kLogitChunkBytes for both together
};

// Of each row, in nats; 0 where it is left out.
struct Distilled {
  Tensor loss;  // wide []: the sum over rows of weight * ((1 - share) hard + share temperature^2 divergence)
  Tensor hard;  // wide [N]: -log softmax(student)[target]
  Tensor divergence;  // wide [N]: D(p, q) of the teacher's p and the student's q at the temperature
  Tensor agrees;      // i32 [N]: 1 where both find the same token likeliest
};

// h [N, C] and teacher_h [N, Ct] are states of the same N places, targets i32 [N]. Hinton et al. 2015 (arXiv 1503.02531) with
// forward_kl; jensen_shannon is the generalised one of GKD (Agarwal et al. 2023, arXiv 2306.13649). Where one vocabulary is
// longer than the other (rows of padding), distributions in the divergence are over the tokens that both have. A row with a
// negative target or a weight of 0 is left out: no loss, no gradient, no logits of either; [N, V] never exists. Throws
// ShapeError. Differentiable in h and the tensors of `head`.
Distilled linear_distillation(const Tensor& h, const OutputHead& head, const Tensor& teacher_h,
                              const OutputHead& teacher, const Tensor& targets,
                              const DistillationOptions& options);

}  // namespace quern::ops
