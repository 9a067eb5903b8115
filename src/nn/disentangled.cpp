#include "nn/disentangled.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/threads.h"
#include "ops/linear.h"

namespace quern::nn {

namespace {

// Head `h` of [B, T, H, D] as a matrix [B * T, D] in f32.
Tensor head_of(const Tensor& heads, int64_t h) {
  const Tensor wide = heads.to(DType::f32);
  const int64_t rows = heads.dim(0) * heads.dim(1), count = heads.dim(2), width = heads.dim(3);
  Tensor result({rows, width}, DType::f32);
  for (int64_t row = 0; row < rows; ++row) {
    const float* from = wide.data<float>() + (row * count + h) * width;
    std::copy(from, from + width, result.data<float>() + row * width);
  }
  return result;
}

}  // namespace

int64_t distance_row(int64_t distance, const DisentangledSpec& spec) {
  const int64_t middle = spec.buckets / 2, size = std::abs(distance);
  int64_t bucket = distance;
  if (size > middle) {
    // In float, as the models were trained: distances at the border of two buckets depend on it.
    const auto half = static_cast<float>(middle);
    const auto last =
        static_cast<float>(static_cast<double>(spec.max_distance - 1) / static_cast<double>(middle));
    const float steps = std::log(static_cast<float>(size) / half) / std::log(last) * (half - 1.0f);
    bucket = static_cast<int64_t>(std::ceil(steps)) + middle;
    if (distance < 0) bucket = -bucket;
  }
  return std::clamp<int64_t>(bucket + spec.buckets, 0, 2 * spec.buckets - 1);
}

Tensor disentangled_bias(const Tensor& q, const Tensor& k, const Tensor& distance_queries,
                         const Tensor& distance_keys, const DisentangledSpec& spec, double scale) {
  const int64_t batch = q.dim(0), time = q.dim(1), heads = q.dim(2), rows = 2 * spec.buckets;
  std::vector<int64_t> row_of(static_cast<size_t>(2 * time - 1));  // by distance, from -(time - 1) on
  for (int64_t i = 0; i < 2 * time - 1; ++i)
    row_of[static_cast<size_t>(i)] = distance_row(i - (time - 1), spec);
  Tensor bias({batch, heads, time, time}, DType::f32);
  for (int64_t h = 0; h < heads; ++h) {
    const Tensor of_queries = ops::linear(head_of(q, h), head_of(distance_keys, h));
    const Tensor of_keys = ops::linear(head_of(k, h), head_of(distance_queries, h));
    const float *content = of_queries.data<float>(), *place = of_keys.data<float>();
    float* out = bias.data<float>();
    parallel_for(batch * time, 1 + (1 << 14) / time, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t b = i / time, t = i % time;
        float* to = out + ((b * heads + h) * time + t) * time;
        for (int64_t s = 0; s < time; ++s) {
          const int64_t row = row_of[static_cast<size_t>(t - s + time - 1)];
          const float sum = content[i * rows + row] + place[(b * time + s) * rows + row];
          to[s] = static_cast<float>(scale) * sum;
        }
      }
    });
  }
  return bias;
}

}  // namespace quern::nn
