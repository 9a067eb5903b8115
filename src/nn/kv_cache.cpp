#include "nn/kv_cache.h"

#include <algorithm>
#include <cstring>

#include "base/exception.h"

namespace quern::nn {

namespace {

// Copies rows [T, K, D] of each sequence to the slots that `positions` ([B, T]) name in store [B, capacity,
// K, D].
void put(const Tensor& rows, const Tensor& positions, const Tensor& store) {
  const Tensor values = rows.to(store.dtype());
  const int64_t time = positions.dim(1), capacity = store.dim(1);
  const auto row_bytes = static_cast<size_t>(rows.dim(2) * rows.dim(3) * size_of(store.dtype()));
  const auto* from = static_cast<const std::byte*>(values.raw());
  auto* to = static_cast<std::byte*>(store.raw());
  for (int64_t i = 0; i < positions.numel(); ++i) {
    const int64_t slot = i / time * capacity + positions.data<int32_t>()[i];
    std::memcpy(to + static_cast<size_t>(slot) * row_bytes, from + static_cast<size_t>(i) * row_bytes,
                row_bytes);
  }
}

}  // namespace

ContiguousKvCache::ContiguousKvCache(const Spec& spec)
    : spec_(spec), lengths_(static_cast<size_t>(spec.batch), 0) {
  const Shape shape{spec.batch, spec.capacity, spec.kv_heads, spec.head_dim};
  for (int64_t layer = 0; layer < spec.layers; ++layer) {
    keys_.emplace_back(shape, spec.dtype);
    values_.emplace_back(shape, spec.dtype);
  }
}

int64_t ContiguousKvCache::bytes() const {
  return keys_.empty() ? 0 : 2 * spec_.layers * keys_.front().bytes();
}

ForwardContext ContiguousKvCache::next(int64_t time) {
  ForwardContext context;
  const Shape shape{spec_.batch, time};
  context.positions = Tensor(shape, DType::i32);
  context.mask = {Tensor::zeros(shape, DType::i32), Tensor(shape, DType::i32)};
  context.cache = this;
  for (int64_t b = 0; b < spec_.batch; ++b) {
    if (length(b) + time > spec_.capacity) {
      throw ShapeError("[kv_cache] expected at most " + std::to_string(spec_.capacity) + " tokens, got " +
                       std::to_string(length(b)) + " + " + std::to_string(time));
    }
    for (int64_t t = 0; t < time; ++t) {
      const auto position = static_cast<int32_t>(length(b) + t);
      context.positions.data<int32_t>()[b * time + t] = position;
      context.mask.end.data<int32_t>()[b * time + t] = position + 1;
    }
  }
  return context;
}

void ContiguousKvCache::commit(int64_t time) {
  for (int64_t& length : lengths_) length += time;
}

void ContiguousKvCache::truncate(int64_t b, int64_t length) {
  int64_t& held = lengths_[static_cast<size_t>(b)];
  held = std::min(held, length);
}

Tensor ContiguousKvCache::attend(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                                 const ops::AttentionMask& mask, const ForwardContext& context,
                                 const ops::AttentionOptions& options) {
  const Tensor& keys = keys_[static_cast<size_t>(layer)];
  const Tensor& values = values_[static_cast<size_t>(layer)];
  put(k, context.positions, keys);
  put(v, context.positions, values);
  return ops::attention(q.to(spec_.dtype), keys, values, mask, options).to(q.dtype());
}

}  // namespace quern::nn
