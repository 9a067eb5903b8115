// Gradients of models in f64 against central differences.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>

#include "autograd/graph.h"
#include "base/rng.h"
#include "nn/module.h"

namespace quern::model {

// The gradients of a model by the names of its parameters; `backward` adds them.
inline std::map<std::string, Tensor> gradients_after(nn::Module& model,
                                                     const std::function<void()>& backward) {
  nn::clear_grads(model);
  backward();
  std::map<std::string, Tensor> result;
  model.visit([&](const std::string& name, nn::Parameter& p) { result[name] = p.grad(); });
  return result;
}

// Of each parameter, what `loss` does along a random direction of its values is what the gradients say.
inline void expect_central_differences(nn::Module& model, const std::map<std::string, Tensor>& gradients,
                                       const std::function<double()>& loss) {
  // Adds `step` times the direction; its inner product with the gradient.
  const auto move = [](const Tensor& values, const Tensor& gradient, double step) {
    Rng rng(3, 4);
    double slope = 0.0;
    for (int64_t i = 0; i < values.numel(); ++i) {
      const double direction = rng.normal();
      values.data<double>()[i] += step * direction;
      slope += direction * gradient.data<double>()[i];
    }
    return slope;
  };
  const autograd::NoGrad no_grad;
  constexpr double kStep = 1e-5;
  model.visit([&](const std::string& name, nn::Parameter& p) {
    const Tensor& gradient = gradients.at(name);
    ASSERT_TRUE(gradient.defined() && gradient.dtype() == DType::f64) << name;
    const double slope = move(p.master(), gradient, kStep);
    const double above = loss();
    move(p.master(), gradient, -2 * kStep);
    const double below = loss();
    move(p.master(), gradient, kStep);
    const double measured = (above - below) / (2 * kStep);
    EXPECT_NEAR(measured, slope, 1e-6 * (1.0 + std::fabs(slope))) << name;
  });
}

// The same of single values, every `stride`th of each parameter of an adapter, whose gradients it holds; `where` is for people.
inline void expect_differences_of_values(nn::Module& module, int64_t stride, const std::string& where,
                                         const std::function<double()>& loss) {
  const autograd::NoGrad no_grad;
  constexpr double kStep = 1e-5;
  module.visit([&](const std::string& name, nn::Parameter& parameter) {
    double* values = parameter.master().data<double>();
    for (int64_t i = 0; i < parameter.master().numel(); i += stride) {
      const double before = values[i];
      values[i] = before + kStep;
      const double above = loss();
      values[i] = before - kStep;
      const double below = loss();
      values[i] = before;
      EXPECT_NEAR(parameter.grad().data<double>()[i], (above - below) / (2.0 * kStep), 1e-7)
          << where << ' ' << name << ' ' << i;
    }
  });
}

}  // namespace quern::model
