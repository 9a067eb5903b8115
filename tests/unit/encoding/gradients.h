// Gradients of models, taken out to compare them.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "unit/model/tiny_models.h"

namespace quern::encoding {

// Those that were added up, which the model then forgets.
inline std::map<std::string, Tensor> gradients_of(nn::Module& model) {
  std::map<std::string, Tensor> all;
  model.visit([&](const std::string& name, nn::Parameter& p) {
    if (p.grad().defined()) all[name] = p.grad().clone();
  });
  nn::clear_grads(model);
  return all;
}

inline void expect_same(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, gradient] : a) EXPECT_LE(model::max_difference(gradient, b.at(name)), 2e-6) << name;
}

}  // namespace quern::encoding
