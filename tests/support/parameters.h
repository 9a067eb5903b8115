// The parameters of a module by name, as tests of training compare them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>

#include "base/rng.h"
#include "nn/module.h"

namespace quern::test {

using NamedTensors = std::map<std::string, Tensor>;  // f32

inline NamedTensors masters(const nn::Module& module) {
  NamedTensors all;
  nn::visit(module, [&](const std::string& name, const nn::Parameter& p) { all[name] = p.master().clone(); });
  return all;
}

// Those there are; the module has none any more.
inline NamedTensors take_gradients(nn::Module& module) {
  NamedTensors all;
  module.visit([&](const std::string& name, nn::Parameter& p) {
    if (p.grad().defined()) all[name] = p.grad().clone();
  });
  nn::clear_grads(module);
  return all;
}

// The largest difference of any two numbers; 0 means the same bits here.
inline double distance(const NamedTensors& a, const NamedTensors& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0.0;
  for (const auto& [name, x] : a) {
    const Tensor& y = b.at(name);
    for (int64_t i = 0; i < x.numel(); ++i) {
      const double difference = std::fabs(double{x.data<float>()[i]} - y.data<float>()[i]);
      if (std::isnan(difference)) return INFINITY;
      most = std::max(most, difference);
    }
  }
  return most;
}

// Expects that `gradient` tells how loss() changes when the parameters it names move along a random direction, to
// `tolerance` of 1 + that: by a central difference over twice `step`. Leaves no gradients, and the weights but for rounding.
inline void expect_slope(nn::Module& module, const NamedTensors& gradient,
                         const std::function<double()>& loss, double step = 2e-3, double tolerance = 1e-2) {
  double slope = 0.0;
  NamedTensors direction;
  uint64_t stream = 0;
  for (const auto& [name, g] : gradient) {
    Tensor d(g.shape(), DType::f32);
    Rng rng(17, ++stream);
    for (float& value : d.span<float>()) value = static_cast<float>(rng.uniform() - 0.5);
    for (int64_t i = 0; i < g.numel(); ++i) slope += double{g.data<float>()[i]} * d.data<float>()[i];
    direction[name] = d;
  }
  const auto moved = [&](double by) {
    module.visit([&](const std::string& name, nn::Parameter& p) {
      if (!direction.contains(name)) return;
      const Tensor master = p.master(), d = direction.at(name);
      for (int64_t i = 0; i < d.numel(); ++i)
        master.data<float>()[i] += static_cast<float>(by) * d.data<float>()[i];
    });
    const double there = loss();
    nn::clear_grads(module);
    return there;
  };
  const double ahead = moved(step), behind = moved(-2.0 * step);
  moved(step);
  EXPECT_NEAR((ahead - behind) / (2.0 * step), slope, tolerance * (1.0 + std::fabs(slope)));
}

}  // namespace quern::test
