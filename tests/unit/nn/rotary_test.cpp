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

}  // namespace
}  // namespace quern::nn
