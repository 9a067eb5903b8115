#include "nn/module.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "autograd/graph.h"
#include "base/threads.h"
#include "nn/mlp.h"

namespace quern::nn {
namespace {

Mlp tiny(bool gated) { return Mlp({.hidden = 64, .intermediate = 300, .gated = gated, .init_std = 0.5}); }

std::vector<std::string> names_of(const Module& module) {
  std::vector<std::string> names;
  visit(module, [&](const std::string& name, const Parameter&) { names.push_back(name); });
  return names;
}

TEST(Module, WalksByPathInForwardOrder) {
  EXPECT_EQ(names_of(tiny(true)), (std::vector<std::string>{"gate.weight", "gate.bias", "up.weight",
                                                            "up.bias", "down.weight", "down.bias"}));
  EXPECT_EQ(parameter_count(tiny(false)), 2 * 64 * 300 + 300 + 64);
}

TEST(Module, FirstValuesDoNotDependOnThreads) {
  const auto up = [](int threads) {
    const int before = num_threads();
    set_num_threads(threads);
    Mlp mlp = tiny(false);
    initialise(mlp, 9);
    set_num_threads(before);
    Tensor value;
    visit(mlp, [&](const std::string& name, const Parameter& p) {
      if (name == "up.weight") value = p.master();
    });
    return value;
  };
  const Tensor one = up(1), three = up(3);
  EXPECT_TRUE(std::ranges::equal(one.span<float>(), three.span<float>()));
}

TEST(Module, AWiderModelStartsFromTheSameNumbers) {
  Mlp narrow = tiny(false), wide = tiny(false);
  initialise(narrow, 9);
  initialise(wide, 9, DType::f64);
  std::vector<Tensor> values;
  visit(narrow, [&](const std::string&, const Parameter& p) { values.push_back(p.master().to(DType::f64)); });
  size_t i = 0;
  visit(wide, [&](const std::string& name, const Parameter& p) {
    EXPECT_TRUE(std::ranges::equal(values[i++].span<double>(), p.master().span<double>())) << name;
  });
}

TEST(Module, ClearsGradients) {
  Mlp mlp = tiny(true);
  initialise(mlp, 1);
  autograd::backward(mlp.forward(Tensor::full({1, 1, 64}, 1.0), {}));
  visit(mlp, [](const std::string& name, const Parameter& p) { EXPECT_TRUE(p.grad().defined()) << name; });
  clear_grads(mlp);
  visit(mlp, [](const std::string& name, const Parameter& p) { EXPECT_FALSE(p.grad().defined()) << name; });
}

TEST(Module, AFrozenModuleRecordsNothing) {
  Mlp mlp = tiny(true);
  initialise(mlp, 1);
  set_trainable(mlp, false);
  EXPECT_FALSE(autograd::requires_grad(mlp.forward(Tensor::full({1, 1, 64}, 1.0), {})));
}

}  // namespace
}  // namespace quern::nn
