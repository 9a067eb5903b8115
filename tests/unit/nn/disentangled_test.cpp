#include "nn/disentangled.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace quern::nn {
namespace {

TEST(DistanceRow, CountsNearDistancesAndGathersFarOnes) {
  const DisentangledSpec spec{.buckets = 8, .max_distance = 24};
  for (int64_t distance = -4; distance <= 4; ++distance)
    EXPECT_EQ(distance_row(distance, spec), 8 + distance);
  int64_t before = distance_row(4, spec);
  for (int64_t distance = 5; distance < 40; ++distance) {
    const int64_t row = distance_row(distance, spec);
    EXPECT_GE(row, before);
    // Both sides are alike but for their last rows, 15 and 0, which take all that is beyond.
    if (row < 15) {
      EXPECT_EQ(distance_row(-distance, spec), 16 - row);
    } else {
      EXPECT_LE(distance_row(-distance, spec), 1);
    }
    before = row;
  }
  EXPECT_EQ(before, 15);
}

Tensor uniform_tensor(const Shape& shape, uint64_t seed) {
  Rng rng(seed, 3);
  Tensor values(shape, DType::f32);
  for (float& value : values.span<float>()) value = static_cast<float>(rng.below(1000)) / 500.0f - 1.0f;
  return values;
}

TEST(DisentangledBias, IsTheSumOfBothProducts) {
  const DisentangledSpec spec{.buckets = 4, .max_distance = 8};
  const int64_t batch = 2, time = 5, heads = 3, width = 4;
  const Tensor q = uniform_tensor({batch, time, heads, width}, 1),
               k = uniform_tensor({batch, time, heads, width}, 2),
               places_q = uniform_tensor({1, 8, heads, width}, 3),
               places_k = uniform_tensor({1, 8, heads, width}, 4);
  const Tensor bias = disentangled_bias(q, k, places_q, places_k, spec, 0.5);
  ASSERT_EQ(bias.shape(), (Shape{batch, heads, time, time}));
  const auto at = [&](const Tensor& x, int64_t row, int64_t h, int64_t d) {
    return static_cast<double>(x.data<float>()[(row * heads + h) * width + d]);
  };
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t t = 0; t < time; ++t) {
        for (int64_t s = 0; s < time; ++s) {
          double sum = 0.0;
          const int64_t row = distance_row(t - s, spec);
          for (int64_t d = 0; d < width; ++d) {
            sum += at(q, b * time + t, h, d) * at(places_k, row, h, d) +
                   at(k, b * time + s, h, d) * at(places_q, row, h, d);
          }
          EXPECT_NEAR(bias.data<float>()[((b * heads + h) * time + t) * time + s], 0.5 * sum, 1e-5);
        }
      }
    }
  }
}

}  // namespace
}  // namespace quern::nn
