// Tiny models of each family, and what tests of whole models share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "base/rng.h"
#include "model/decoder.h"
#include "model/family.h"

namespace quern::model {

// A model of `family` with 2 layers, 4 heads, 48 tokens and 24 positions.
inline ModelConfig tiny_config(const std::string& family) {
  ModelConfig config = find_family(family).value()->defaults();
  config.vocab_size = 48;
  config.layers = 2;
  config.hidden = 16;
  config.heads = 4;
  config.intermediate = 24;
  config.max_positions = 24;
  config.init_std = 0.3;  // far from uniform attention, so that mistakes show
  if (config.experts > 0) {
    config.experts = 3;
    config.experts_per_token = 2;
    if (config.expert_intermediate > 0) config.expert_intermediate = 8;
    if (config.shared_intermediate > 0) config.shared_intermediate = 12;
  }
  if (config.kind != Kind::decoder) return config;
  const bool groups = family != "gpt2" && family != "opt" && family != "mpt" && family != "gpt_neox";
  if (groups) config.kv_heads = 2;
  if (family == "mpt") config.intermediate = 0;  // 4 * hidden always
  return config;
}

// i32 [B, T] of tokens below `vocab`.
inline Tensor random_tokens(int64_t batch, int64_t time, int64_t vocab, uint64_t seed) {
  Rng rng(seed, 7);
  Tensor tokens({batch, time}, DType::i32);
  for (int32_t& token : tokens.span<int32_t>())
    token = static_cast<int32_t>(rng.below(static_cast<uint64_t>(vocab)));
  return tokens;
}

inline double max_difference(const Tensor& a, const Tensor& b) {
  if (a.numel() != b.numel()) return INFINITY;
  const Tensor x = a.to(DType::f64), y = b.to(DType::f64);
  double largest = 0.0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double difference = std::fabs(x.data<double>()[i] - y.data<double>()[i]);
    if (std::isnan(difference)) return INFINITY;
    largest = std::max(largest, difference);
  }
  return largest;
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

}  // namespace quern::model
