#include "train/adamw.h"

#include <gtest/gtest.h>

#include <vector>

#include "autograd/graph.h"
#include "ops/reduce.h"
#include "ops/scale.h"

namespace quern::train {
namespace {

struct TwoMaps final : nn::Module {
  nn::Parameter first{Shape{2, 3}, {.std = 1.0}}, second{Shape{2, 3}, {.std = 1.0}},
      bias{Shape{3}, {.mean = 0.5}};
  void visit(const nn::Visitor& visitor, const std::string& prefix = {}) override {
    visitor(prefix + "first", first);
    visitor(prefix + "second", second);
    visitor(prefix + "bias", bias);
  }
};

std::vector<float> values(const nn::Parameter& parameter) {
  const auto span = parameter.master().span<float>();
  return {span.begin(), span.end()};
}

// Steps along the gradient of three times the sum of all that learns; the bias is left out.
std::vector<float> learnt(double lr, double factor, int steps) {
  TwoMaps maps;
  nn::initialise(maps, 5);
  maps.first.set_learning_rate_factor(factor);
  AdamW optimizer(maps, {.weight_decay = 0.1});
  for (int i = 0; i < steps; ++i) {
    for (const nn::Parameter* each : {&maps.first, &maps.second})
      autograd::backward(ops::scale(ops::sum(each->value()), 3.0));
    optimizer.step(lr, 1.0);
  }
  std::vector<float> result = values(maps.first);
  const std::vector<float> second = values(maps.second), bias = values(maps.bias);
  result.insert(result.end(), second.begin(), second.end());
  result.insert(result.end(), bias.begin(), bias.end());
  return result;
}

TEST(AdamW, TakesTheLearningRateTimesTheFactorOfTheParameter) {
  const std::vector<float> slow = learnt(0.01, 1.0, 4), fast = learnt(0.16, 1.0, 4),
                           mixed = learnt(0.01, 16.0, 4);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(mixed[i], fast[i]) << i;
  for (size_t i = 6; i < 12; ++i) EXPECT_EQ(mixed[i], slow[i]) << i;
  EXPECT_NE(slow[0], fast[0]);
}

TEST(AdamW, LeavesParametersWithoutAGradient) {
  const std::vector<float> result = learnt(0.1, 1.0, 3);
  for (size_t i = 12; i < 15; ++i) EXPECT_EQ(result[i], 0.5f);
}

}  // namespace
}  // namespace quern::train
