#include "ops/linear.h"

#include <gtest/gtest.h>

#include "autograd/graph.h"
#include "support/op_rows/op_row.h"

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

}  // namespace
}  // namespace quern::ops
