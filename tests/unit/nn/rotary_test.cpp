#include "nn/rotary.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/exception.h"

namespace quern::nn {
namespace {

TEST(Rotary, GrowsUpToItsLimit) {
  Rotary rotary({.rotary = 4, .max_positions = 1000});
  EXPECT_THROW(rotary.reserve(1001), ShapeError);
  rotary.reserve(3);
  Tensor x({1, 5, 2, 4}, DType::f32);
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = static_cast<float>(i % 7) - 3.0f;
  const Tensor near = rotary.forward(x, ForwardContext::causal(1, 5).positions);
  rotary.reserve(1000);
  const Tensor again = rotary.forward(x, ForwardContext::causal(1, 5).positions);
  EXPECT_TRUE(std::ranges::equal(near.span<float>(), again.span<float>()));
  EXPECT_NO_THROW(rotary.forward(x, Tensor::full({1, 5}, 999, DType::i32)));
}

// Keys turned back are the keys of the lower positions, also where YaRN scales them.
TEST(Rotary, TurnsBackToLowerPositions) {
  for (const ops::RopeScaling scaling : {ops::RopeScaling::none, ops::RopeScaling::yarn}) {
    Rotary rotary({.theta = 10000.0,
                   .rotary = 8,
                   .max_positions = 400,
                   .scaling = scaling,
                   .factor = 4.0,
                   .original_positions = 100});
    rotary.reserve(400);
    Tensor x({1, 5, 2, 10}, DType::f32);
    for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = static_cast<float>(i % 13) - 6.0f;
    const auto rotated_from = [&](int32_t first) {
      return rotary.forward(
          x, Tensor::from(std::vector<int32_t>{first, first + 1, first + 2, first + 3, first + 4}, {1, 5}));
    };
    const Tensor back = rotary.turned_back(rotated_from(390), 260), wanted = rotated_from(130);
    for (int64_t i = 0; i < x.numel(); ++i)
      EXPECT_NEAR(back.data<float>()[i], wanted.data<float>()[i], 1e-4) << i;
  }
}

}  // namespace
}  // namespace quern::nn
