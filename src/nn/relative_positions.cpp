#include "nn/relative_positions.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "ops/reshape.h"
#include "ops/transpose.h"

namespace quern::nn {

int64_t relative_bucket(int64_t offset, const RelativePositionSpec& spec) {
  int64_t buckets = spec.buckets, first = 0;
  if (spec.bidirectional) {
    buckets /= 2;
    if (offset > 0) first = buckets;
  }
  const int64_t distance = spec.bidirectional ? std::abs(offset) : std::max<int64_t>(-offset, 0);
  const int64_t exact = buckets / 2;
  if (distance < exact) return first + distance;
  // In float, as the models were trained: distances at the border of two buckets depend on it.
  const float ratio =
      std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
      static_cast<float>(std::log(static_cast<double>(spec.max_distance) / static_cast<double>(exact)));
  const auto beyond = static_cast<int64_t>(ratio * static_cast<float>(buckets - exact));
  return first + std::min(exact + beyond, buckets - 1);
}

Tensor RelativePositions::bias(const Tensor& positions, int64_t keys, DType dtype) const {
  const int64_t time = positions.dim(1);
  const auto all = positions.span<int32_t>();
  bool alike = true;
  for (size_t i = static_cast<size_t>(time); i < all.size(); ++i) {
    alike = alike && all[i] == all[i - static_cast<size_t>(time)];
  }
  const int64_t batch = alike ? 1 : positions.dim(0);
  Tensor buckets({batch, time * keys}, DType::i32);
  for (int64_t i = 0; i < batch * time; ++i) {
    for (int64_t key = 0; key < keys; ++key) {
      const int64_t offset = key - all[static_cast<size_t>(i)];
      buckets.data<int32_t>()[i * keys + key] = static_cast<int32_t>(relative_bucket(offset, spec_));
    }
  }
  // [B, T * S, H] -> [B, H, T, S]
  return ops::reshape(ops::transpose(table_.forward(buckets, dtype)), {batch, spec_.heads, time, keys});
}

}  // namespace quern::nn
