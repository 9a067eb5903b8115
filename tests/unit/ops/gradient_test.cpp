// Every gradient rule against central differences in fp64, on every case of the op registry.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/graph.h"
#include "support/op_rows/run_case.h"

namespace quern::ops::rows {
namespace {

double dot(const Tensor& a, const Tensor& b) {
  double sum = 0.0;
  for (int64_t i = 0; i < a.numel(); ++i) sum += a.data<double>()[i] * b.data<double>()[i];
  return sum;
}

// The value dy·f(inputs) with input i moved by `step` along `direction`.
double value_at(const OpCase& op, const CaseData& data, size_t i, const Tensor& direction, double step) {
  std::vector<Tensor> inputs = data.inputs;
  inputs[i] = inputs[i].clone();
  for (int64_t j = 0; j < inputs[i].numel(); ++j)
    inputs[i].data<double>()[j] += step * direction.data<double>()[j];
  return dot(op.run(inputs), data.dy);
}

// Fourth-order central difference: an error of h^4, so that h can stay far above the rounding.
double slope(const OpCase& op, const CaseData& data, size_t i, const Tensor& direction) {
  constexpr double kStep = 1e-3;
  const auto difference = [&](double h) {
    return value_at(op, data, i, direction, h) - value_at(op, data, i, direction, -h);
  };
  return (8.0 * difference(kStep) - difference(2.0 * kStep)) / (12.0 * kStep);
}

// Unit vectors for a small input, random directions of length one for a big one.
std::vector<Tensor> directions(const Shape& shape) {
  constexpr int64_t kSmall = 24;
  constexpr int kProbes = 6;
  std::vector<Tensor> result;
  if (shape.numel() <= kSmall) {
    for (int64_t i = 0; i < shape.numel(); ++i) {
      result.push_back(Tensor::zeros(shape, DType::f64));
      result.back().data<double>()[i] = 1.0;
    }
    return result;
  }
  Rng rng(3, 0);
  for (int i = 0; i < kProbes; ++i) {
    Tensor direction = random(rng, shape, DType::f64);
    const double length = std::sqrt(dot(direction, direction));
    for (double& value : direction.span<double>()) value /= length;
    result.push_back(direction);
  }
  return result;
}

void check_input(const OpCase& op, const CaseData& data, size_t i, const Tensor& gradient) {
  // Differences lose digits of the value they are taken from, so the gradient's own length sets the scale.
  const double scale =
      std::sqrt(dot(gradient, gradient) / static_cast<double>(std::max<int64_t>(gradient.numel(), 1)));
  for (const Tensor& direction : directions(gradient.shape())) {
    const double expected = slope(op, data, i, direction);
    EXPECT_NEAR(dot(gradient, direction), expected, 1e-8 * std::max({std::fabs(expected), scale, 1e-2}))
        << "input " << i;
  }
}

class GradientTest : public ::testing::TestWithParam<std::string> {};

TEST_P(GradientTest, EqualsCentralDifferences) {
  for (const OpCase& op : op_row(GetParam()).cases) {
    SCOPED_TRACE(op.name);
    const CaseData data = data_of(op, DType::f64);
    const CaseResult result = run_case(op, data);
    const autograd::NoGrad no_grad;
    for (size_t i = 0; i < data.inputs.size(); ++i) {
      if (!op.differentiable(i, data.inputs[i])) continue;
      ASSERT_TRUE(result.gradients[i].defined()) << "input " << i;
      ASSERT_EQ(result.gradients[i].shape(), data.inputs[i].shape()) << "input " << i;
      check_input(op, data, i, result.gradients[i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, GradientTest, ::testing::ValuesIn(op_names()),
                         [](const auto& row) { return row.param; });

}  // namespace
}  // namespace quern::ops::rows
