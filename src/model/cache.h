// The KV cache that a model asks for: its sizes follow from the config, so that memory can be planned before anything is
// loaded.
#pragma once

#include "base/result.h"
#include "model/config.h"
#include "nn/kv_cache.h"

namespace quern::model {

// Tokens that generation gives to one forward pass at most: it bounds the memory of a long prompt's activations, and what
// layers with a window keep.
inline constexpr int64_t kPromptChunk = 512;

// What keys and values are kept in unless somebody says otherwise: bf16 where activations are, else f16 (f32 for f64).
constexpr DType default_cache_dtype(DType compute) {
  return compute == DType::bf16 ? DType::bf16 : compute == DType::f64 ? DType::f32 : DType::f16;
}

// invalid_argument unless the model's keys can be kept in `dtype`: f32, f16, bf16, or q8_0 for heads of whole blocks.
Result<void> check_cache_dtype(const ModelConfig& config, DType dtype);

struct CacheSize {
  int64_t batch = 1;     // sequences
  int64_t capacity = 0;  // tokens of each
  int64_t chunk = 0;     // of one forward pass at most; 0: any
};
// Precondition: the config is resolved.
nn::KvCacheSpec cache_spec(const ModelConfig& config, const CacheSize& size, DType dtype);

}  // namespace quern::model
