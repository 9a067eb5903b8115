#include "ops/cast.h"

#include <gtest/gtest.h>

#include "autograd/graph.h"
#include "ops/scale.h"

namespace quern::ops {
namespace {

TEST(Cast, RoundsThereAndConvertsTheGradientBack) {
  Tensor x = Tensor::full({2}, 1.0f + 0x3p-8f);
  autograd::require_grad(x);
  const Tensor y = cast(x, DType::bf16);
  EXPECT_EQ(y.data<bfloat16>()[0].bits, 0x3f82);
  autograd::backward(scale(y, 3.0));
  EXPECT_EQ(autograd::grad(x).dtype(), DType::f32);
  EXPECT_FLOAT_EQ(autograd::grad(x).data<float>()[0], 3.0f);
}

TEST(Cast, ToItsOwnDTypeIsTheInput) {
  Tensor x = Tensor::full({2}, 1.0f);
  autograd::require_grad(x);
  EXPECT_EQ(cast(x, DType::f32).grad_meta(), x.grad_meta());
}

}  // namespace
}  // namespace quern::ops
