// Disentangled attention (He et al. 2021, DeBERTa, arXiv 2006.03654): scores of content against content, to which those
// of content against distance are added, both ways. Distances are vectors, in buckets that widen.
#pragma once

#include "tensor/tensor.h"

namespace quern::nn {

struct DisentangledSpec {
  int64_t buckets = 256;       // on either side of a token
  int64_t max_distance = 512;  // beyond it a distance has no bucket of its own
};

// The row, in [0, 2 buckets), of a key that stands `distance` tokens before its query (after it when negative).
int64_t distance_row(int64_t distance, const DisentangledSpec& spec);

// What ops::AttentionOptions::bias adds: wide [B, H, T, T], scale (q_t · key of the distance + k_s · query of it), for q
// and k [B, T, H, D] and the distances' own queries and keys [1, 2 buckets, H, D]. Differentiable in all four.
Tensor disentangled_bias(const Tensor& q, const Tensor& k, const Tensor& distance_queries,
                         const Tensor& distance_keys, const DisentangledSpec& spec, double scale);

}  // namespace quern::nn
