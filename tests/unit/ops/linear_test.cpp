#include "ops/linear.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/graph.h"
#include "ops/cast.h"
#include "support/op_rows/op_row.h"
#include "tensor/block_formats.h"

namespace quern::ops {
namespace {

TEST(Linear, ABf16WeightCollectsItsGradientInF32) {
  Rng rng(6, 0);
  const Tensor x = rows::random(rng, {4, 8}, DType::bf16);
  Tensor w = rows::random(rng, {3, 8}, DType::bf16);
  autograd::require_grad(w);
  autograd::backward(linear(x, w));
  ASSERT_EQ(autograd::grad(w).dtype(), DType::f32);
  float sum = 0.0f;  // each row of dw is the sum of the rows of x
  for (int64_t r = 0; r < 4; ++r) sum += static_cast<float>(x.data<bfloat16>()[r * 8]);
  EXPECT_NEAR(autograd::grad(w).data<float>()[8], sum, 1e-5);
}

TEST(Linear, OfNoRowsIsEmpty) {
  const Tensor w = Tensor::full({3, 8}, 1.0f);
  EXPECT_EQ(linear(Tensor({0, 8}, DType::f32), w).shape(), (Shape{0, 3}));
}

// 8-bit integers times a power of two: rows whose rounding to 8 bits is exact, and weights that are exact too.
struct Blocks {
  Tensor x{{3, 64}, DType::f32}, weight{{20, 64}, DType::q8_0}, plain;
  Blocks() {
    for (int64_t i = 0; i < x.numel(); ++i) {
      x.data<float>()[i] = static_cast<float>(i % 32 == 0 ? 127 : i * 37 % 255 - 127);
    }
    auto* blocks = static_cast<BlockQ8_0*>(weight.raw());
    for (int b = 0; b < 40; ++b) {
      blocks[b].d = float16(0.25f);
      for (int i = 0; i < 32; ++i) blocks[b].qs[i] = static_cast<int8_t>((b * 32 + i) * 29 % 255 - 127);
    }
    plain = cast(weight, DType::f32);
  }
};

void expect_equal(const Tensor& got, const Tensor& expected) {
  ASSERT_EQ(got.shape(), expected.shape());
  for (int64_t i = 0; i < got.numel(); ++i) {
    ASSERT_NEAR(got.data<float>()[i], expected.data<float>()[i], 1e-5f * std::abs(expected.data<float>()[i]))
        << i;
  }
}

TEST(Linear, OfBlocksIsThatOfTheirValuesPackedOrNot) {
  const Blocks b;
  const Tensor bias = Tensor::full({20}, 3.0f), expected = linear(b.x, b.plain, bias);
  expect_equal(linear(b.x, b.weight, bias), expected);
  const LinearMap maps[] = {{b.weight, bias, pack_strips(b.weight)}, {b.weight, {}, {}}};
  const std::vector<Tensor> both = linear_group(b.x, maps);
  expect_equal(both[0], expected);
  expect_equal(both[1], linear(b.x, b.plain));
  expect_equal(gated_linear(b.x, maps[0], maps[1], Activation::relu),
               gated(Activation::relu, expected, linear(b.x, b.plain)));
}

TEST(Linear, OfFrozenBlocksPassesTheGradientToItsInput) {
  const Blocks b;
  const auto gradient = [&](const Tensor& w) {
    Tensor x = b.x.clone();
    autograd::require_grad(x);
    autograd::backward(linear(x, w));
    return autograd::grad(x);
  };
  expect_equal(gradient(b.weight), gradient(b.plain));
}

TEST(Linear, GroupsOfFloatingMapsAreLinearOfEach) {
  const Blocks b;
  const LinearMap maps[] = {{b.plain, {}, {}}, {b.weight, {}, {}}};
  const std::vector<Tensor> both = linear_group(b.x, maps);
  expect_equal(both[0], linear(b.x, b.plain));
  expect_equal(both[1], both[0]);
}

}  // namespace
}  // namespace quern::ops
