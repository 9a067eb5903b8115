#include "nn/parameter.h"

#include <gtest/gtest.h>

#include "autograd/graph.h"
#include "base/exception.h"
#include "ops/linear.h"
#include "ops/reduce.h"

namespace quern::nn {
namespace {

Parameter matrix(bool trainable) {
  Parameter parameter({2, 2}, {});
  parameter.assign(Tensor::from(std::vector<float>{1.0f, 1.0f / 3.0f, -2.0f, 0.5f}, {2, 2}));
  parameter.set_trainable(trainable);
  return parameter;
}

void backward_through(const Parameter& parameter) {
  const Tensor x = Tensor::full({1, 2}, 3.0, parameter.value().dtype());
  autograd::backward(ops::sum(ops::linear(x, parameter.value())));
}

TEST(Parameter, ATrainableMatrixKeepsItsMasterAndComputesInTheShadow) {
  Parameter parameter = matrix(true);
  parameter.set_compute_dtype(DType::bf16);
  EXPECT_EQ(parameter.master().dtype(), DType::f32);
  EXPECT_EQ(parameter.value().dtype(), DType::bf16);
  backward_through(parameter);
  ASSERT_TRUE(parameter.grad().defined());
  EXPECT_EQ(parameter.grad().dtype(), DType::f32);
  EXPECT_EQ(parameter.grad().data<float>()[0], 3.0f);
}

TEST(Parameter, AFrozenMatrixIsNarrowedAndNeverWidened) {
  Parameter parameter = matrix(false);
  parameter.set_compute_dtype(DType::bf16);
  EXPECT_EQ(parameter.master().dtype(), DType::bf16);
  EXPECT_FALSE(parameter.shadow().defined());
  parameter.set_compute_dtype(DType::f32);
  EXPECT_EQ(parameter.master().dtype(), DType::bf16);
}

TEST(Parameter, AVectorStaysWide) {
  Parameter parameter({2}, {});
  parameter.assign(Tensor::zeros({2}));
  parameter.set_trainable(true);
  parameter.set_compute_dtype(DType::f16);
  EXPECT_EQ(parameter.value().dtype(), DType::f32);
}

TEST(Parameter, FreezingAndThawingKeepTheShadowConnected) {
  Parameter parameter = matrix(true);
  parameter.set_compute_dtype(DType::bf16);
  parameter.set_trainable(false);
  EXPECT_FALSE(parameter.grad().defined());
  EXPECT_FALSE(autograd::requires_grad(parameter.value()));
  parameter.set_trainable(true);
  backward_through(parameter);
  EXPECT_TRUE(parameter.grad().defined());
}

TEST(Parameter, RefusesAnotherShapeOrKind) {
  Parameter parameter = matrix(true);
  EXPECT_THROW(parameter.assign(Tensor::zeros({4})), ShapeError);
  EXPECT_THROW(parameter.assign(Tensor::zeros({2, 2}, DType::i32)), ShapeError);
}

}  // namespace
}  // namespace quern::nn
