#include "nn/rotary.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/exception.h"

namespace quern::nn {
namespace {

// Position `first` and those after it, in a text of `length` tokens.
ForwardContext at(int32_t first, int64_t length = 0) {
  ForwardContext context;
  context.positions =
      Tensor::from(std::vector<int32_t>{first, first + 1, first + 2, first + 3, first + 4}, {1, 5});
  context.text_length = length;
  return context;
}

Tensor some_heads() {
  Tensor x({1, 5, 2, 10}, DType::f32);
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = static_cast<float>(i % 13) - 6.0f;
  return x;
}

bool equal(const Tensor& a, const Tensor& b) { return std::ranges::equal(a.span<float>(), b.span<float>()); }

TEST(Rotary, GrowsUpToItsLimit) {
  Rotary rotary({.rotary = 4, .max_positions = 1000});
  EXPECT_THROW(rotary.reserve(1000, 1001, 1001), ShapeError);
  rotary.reserve(0, 3, 3);
  const Tensor near = rotary.forward(some_heads(), at(0));
  rotary.reserve(999, 1000, 1000);
  EXPECT_TRUE(equal(near, rotary.forward(some_heads(), at(0))));
  EXPECT_NO_THROW(rotary.forward(some_heads(), at(995)));
}

// longrope has two tables; dynamic NTK one for each length. Reserving others changes no result.
TEST(Rotary, FollowsTheLengthOfTheText) {
  for (const ops::RopeScaling scaling : {ops::RopeScaling::ntk, ops::RopeScaling::longrope}) {
    ops::RopeConfig config{.rotary = 4, .max_positions = 400, .scaling = scaling, .factor = 4.0};
    config.original_positions = 100;
    config.short_factors = {1.0, 2.0};
    config.long_factors = {4.0, 8.0};
    Rotary rotary(config);
    const Tensor x = some_heads();
    const auto turned = [&](int64_t length) {
      return ops::rope(x, at(50).positions, ops::RopeTable(config, 0, 100, length));
    };
    for (const int64_t reserved : {60, 200, 201, 100}) {
      rotary.reserve(reserved - 10, reserved, reserved);
      EXPECT_TRUE(equal(rotary.forward(x, at(50)), turned(55)));
      EXPECT_TRUE(equal(rotary.forward(x, at(50, 100)), turned(55)));
      EXPECT_TRUE(equal(rotary.forward(x, at(50, 200)), turned(200)));
      EXPECT_FALSE(equal(turned(200), turned(55)));
      EXPECT_EQ(equal(turned(200), turned(201)), scaling == ops::RopeScaling::longrope);
    }
  }
}

// Keys turned back are the keys of the lower positions, also where YaRN scales them.
TEST(Rotary, TurnsBackToLowerPositions) {
  for (const ops::RopeScaling scaling : {ops::RopeScaling::none, ops::RopeScaling::yarn}) {
    const Rotary rotary({.theta = 10000.0,
                         .rotary = 8,
                         .max_positions = 400,
                         .scaling = scaling,
                         .factor = 4.0,
                         .original_positions = 100});
    const Tensor x = some_heads();
    const Tensor back = rotary.turned_back(rotary.forward(x, at(390)), 260, 400);
    const Tensor wanted = rotary.forward(x, at(130));
    for (int64_t i = 0; i < x.numel(); ++i)
      EXPECT_NEAR(back.data<float>()[i], wanted.data<float>()[i], 1e-4) << i;
  }
}

}  // namespace
}  // namespace quern::nn
