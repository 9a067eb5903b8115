#include "nn/learn_only.h"

#include <gtest/gtest.h>

#include <vector>

namespace quern::nn {
namespace {

struct Layers final : Module {
  Parameter q{Shape{2, 2}, {.std = 1.0}}, q_bias{Shape{2}, {}}, later{Shape{2, 2}, {.std = 1.0}},
      eleventh{Shape{2}, {}}, norm{Shape{2}, {.mean = 1.0}};
  void visit(const Visitor& visitor, const std::string& prefix = {}) override {
    visitor(prefix + "blocks.1.attention.q.weight", q);
    visitor(prefix + "blocks.1.attention.q.bias", q_bias);
    visitor(prefix + "blocks.2.mlp.up.weight", later);
    visitor(prefix + "blocks.11.mlp.up.bias", eleventh);
    visitor(prefix + "norm.weight", norm);
  }
};

std::vector<bool> learnt(const std::vector<std::string>& parts) {
  Layers layers;
  initialise(layers, 1);
  EXPECT_TRUE(learn_only(layers, parts).ok());
  return {layers.q.trainable(), layers.q_bias.trainable(), layers.later.trainable(),
          layers.eleventh.trainable(), layers.norm.trainable()};
}

TEST(LearnOnly, TakesWholeNamesOfPaths) {
  EXPECT_EQ(learnt({"bias"}), (std::vector<bool>{false, true, false, true, false}));
  EXPECT_EQ(learnt({"blocks.1"}), (std::vector<bool>{true, true, false, false, false}));  // not blocks.11
  EXPECT_EQ(learnt({"attention.q", "norm"}), (std::vector<bool>{true, true, false, false, true}));
  EXPECT_EQ(learnt({"up.weight"}), (std::vector<bool>{false, false, true, false, false}));
}

TEST(LearnOnly, SaysWhatThereIs) {
  Layers layers;
  initialise(layers, 1);
  for (const std::string part : {"block.1", "ias", "blocks.1.", ""}) {
    const std::vector<std::string> parts = {"bias", part};
    const auto refused = learn_only(layers, parts);
    ASSERT_FALSE(refused.ok()) << part;
    EXPECT_NE(refused.error().hint.find("blocks.N.attention.q.weight"), std::string::npos);
    EXPECT_TRUE(layers.norm.trainable());
  }
}

}  // namespace
}  // namespace quern::nn
