#include "model/cache.h"

#include <fmt/format.h>

namespace quern::model {

Result<void> check_cache_dtype(const ModelConfig& config, DType dtype) {
  if (!backend::is_kv_dtype(dtype)) {
    return make_error(ErrorCode::invalid_argument, fmt::format("a cache cannot be of {}", name_of(dtype)),
                      "choose f32, f16, bf16 or q8_0");
  }
  if (dtype == DType::q8_0 && config.head_dim % backend::kKvScaled != 0) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("a cache in q8_0 needs heads of a multiple of {} channels, this model's have {}",
                    backend::kKvScaled, config.head_dim),
        "choose f16");
  }
  return {};
}

nn::KvCacheSpec cache_spec(const ModelConfig& config, const CacheSize& size, DType dtype) {
  nn::KvCacheSpec spec{.layers = config.layers,
                       .batch = size.batch,
                       .capacity = size.capacity,
                       .kv_heads = config.kv_heads,
                       .head_dim = config.head_dim,
                       .dtype = dtype,
                       .windows = {},
                       .chunk = size.chunk};
  for (int64_t layer = 0; layer < config.layers; ++layer) spec.windows.push_back(config.window_of(layer));
  return spec;
}

}  // namespace quern::model
