#include "ops/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/exception.h"
#include "support/source_dir.h"

namespace quern::ops {
namespace {

RopeScaling scaling_named(const std::string& name) {
  static const std::map<std::string, RopeScaling> names{
      {"default", RopeScaling::none}, {"linear", RopeScaling::linear}, {"dynamic", RopeScaling::ntk},
      {"yarn", RopeScaling::yarn},    {"llama3", RopeScaling::llama3}, {"longrope", RopeScaling::longrope}};
  return names.at(name);
}

RopeConfig config_of(const nlohmann::json& golden) {
  const nlohmann::json& p = golden["parameters"];
  RopeConfig config;
  config.theta = p["rope_theta"];
  config.rotary = golden["head_dim"];
  config.max_positions = 2;  // position 1 shows every frequency
  config.scaling = scaling_named(p["rope_type"]);
  config.original_positions = golden["original_positions"];
  config.factor = p.value("factor", 1.0);
  config.beta_fast = p.value("beta_fast", 32.0);
  config.beta_slow = p.value("beta_slow", 1.0);
  config.truncate = p.value("truncate", true);
  if (p.contains("attention_factor")) config.attention_factor = p["attention_factor"];
  if (p.contains("mscale")) config.mscale = p["mscale"];
  if (p.contains("mscale_all_dim")) config.mscale_all_dim = p["mscale_all_dim"];
  config.low_freq_factor = p.value("low_freq_factor", 1.0);
  config.high_freq_factor = p.value("high_freq_factor", 4.0);
  config.short_factors = p.value("short_factor", std::vector<double>());
  config.long_factors = p.value("long_factor", std::vector<double>());
  return config;
}

TEST(RopeTable, AgreesWithTransformers) {
  std::ifstream file(QUERN_SOURCE_DIR "/tests/golden/rope/frequencies.json");
  const nlohmann::json goldens = nlohmann::json::parse(file);
  ASSERT_GE(goldens.size(), 13u);
  for (const auto& [name, golden] : goldens.items()) {
    SCOPED_TRACE(name);
    const RopeConfig config = config_of(golden);
    const RopeTable table(config, 0, 2, golden["max_positions"]);
    const std::vector<double> frequencies = golden["frequencies"];
    ASSERT_EQ(table.cos().shape(), (Shape{2, static_cast<int64_t>(frequencies.size())}));
    for (size_t i = 0; i < frequencies.size(); ++i) {
      const double c = table.cos().span<float>()[frequencies.size() + i];
      const double s = table.sin().span<float>()[frequencies.size() + i];
      EXPECT_NEAR(std::atan2(s, c) / frequencies[i], 1.0, 2e-6) << "pair " << i;
      EXPECT_NEAR(std::hypot(s, c), golden["attention_factor"], 1e-6) << "pair " << i;
      EXPECT_FLOAT_EQ(table.cos().span<float>()[i], golden["attention_factor"]) << "pair " << i;
    }
  }
}

TEST(RopeTable, DivisorsAreWhatScalingDividesBy) {
  RopeConfig config{.rotary = 4, .max_positions = 64};
  EXPECT_EQ(rope_divisors(config, 64), (std::vector<double>{1.0, 1.0}));
  config.scaling = RopeScaling::longrope;
  config.original_positions = 32;
  config.short_factors = {1.0, 2.0};
  config.long_factors = {4.0, 8.0};
  EXPECT_EQ(rope_divisors(config, 33), config.long_factors);
  EXPECT_EQ(rope_divisors(config, 32), config.short_factors);
  for (const std::vector<double>& wrong : {std::vector<double>{1.0}, {1.0, 0.0}, {1.0, NAN}, {-1.0, 1.0}}) {
    config.short_factors = wrong;
    EXPECT_THROW(rope_divisors(config, 1), ShapeError);
  }
}

TEST(RopeTable, HoldsTheRangeAskedFor) {
  RopeConfig config{.rotary = 4, .max_positions = 64};
  config.scaling = RopeScaling::ntk;
  config.original_positions = 16;
  config.factor = 2.0;
  const RopeTable all(config), some(config, 5, 9, 64), other(config, 5, 9, 17);
  EXPECT_EQ(all.end(), 64);
  EXPECT_EQ(some.begin(), 5);
  EXPECT_EQ(some.end(), 9);
  const Tensor x = Tensor::full({1, 2, 1, 4}, 1.0);
  const Tensor positions = Tensor::from(std::vector<int32_t>{8, 5}, {1, 2});
  const Tensor by_all = rope(x, positions, all), by_some = rope(x, positions, some);
  EXPECT_TRUE(std::ranges::equal(by_all.span<float>(), by_some.span<float>()));
  EXPECT_FALSE(std::ranges::equal(by_all.span<float>(), rope(x, positions, other).span<float>()));
  for (const int32_t outside : {4, 9})
    EXPECT_THROW(rope(x, Tensor::full({1, 2}, outside, DType::i32), some), ShapeError);
}

TEST(RopeLength, TellsTextsThatTurnAlike) {
  RopeConfig config{.rotary = 4, .max_positions = 64, .scaling = RopeScaling::yarn, .original_positions = 16};
  EXPECT_EQ(rope_length(config, 60), 1);
  config.scaling = RopeScaling::longrope;
  EXPECT_EQ(rope_length(config, 16), 1);
  EXPECT_EQ(rope_length(config, 17), 17);
  EXPECT_EQ(rope_length(config, 60), 17);
  config.scaling = RopeScaling::ntk;
  EXPECT_EQ(rope_length(config, 16), 1);
  EXPECT_EQ(rope_length(config, 60), 60);
}

TEST(RopeTable, StaysExactAtFarPositions) {
  const RopeTable table({.theta = 10000.0, .rotary = 4, .max_positions = 100'001});
  EXPECT_NEAR(table.cos().span<float>()[200'000], std::cos(100'000.0), 1e-7);
  EXPECT_NEAR(table.sin().span<float>()[200'001], std::sin(1000.0), 1e-7);
}

TEST(RopeTable, RefusesImpossibleConfigs) {
  EXPECT_THROW(RopeTable({.rotary = 3, .max_positions = 4}), ShapeError);
  EXPECT_THROW(RopeTable({.rotary = 4, .max_positions = 0}), ShapeError);
  EXPECT_THROW(RopeTable({.rotary = 4, .max_positions = 4, .scaling = RopeScaling::yarn, .factor = 2.0}),
               ShapeError);
  EXPECT_THROW(RopeTable({.rotary = 4, .max_positions = 4, .scaling = RopeScaling::linear, .factor = 0.0}),
               ShapeError);
}

TEST(Rope, RotatesThePairsOfItsLayout) {
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3, 4, 5}, {1, 1, 1, 5});
  const Tensor position = Tensor::from(std::vector<int32_t>{1}, {1, 1});
  const RopeTable split({.theta = 100.0, .rotary = 4, .max_positions = 2});
  const Tensor rotated = rope(x, position, split);
  const float* y = rotated.data<float>();
  EXPECT_NEAR(y[0], 1 * std::cos(1.0) - 3 * std::sin(1.0), 1e-6);
  EXPECT_NEAR(y[2], 1 * std::sin(1.0) + 3 * std::cos(1.0), 1e-6);
  EXPECT_NEAR(y[1], 2 * std::cos(0.1) - 4 * std::sin(0.1), 1e-6);
  EXPECT_EQ(y[4], 5.0f);

  const RopeTable adjacent({.theta = 100.0, .rotary = 4, .max_positions = 2, .half_split = false});
  const Tensor z = rope(x, position, adjacent);
  EXPECT_NEAR(z.data<float>()[0], 1 * std::cos(1.0) - 2 * std::sin(1.0), 1e-6);
  EXPECT_NEAR(z.data<float>()[3], 3 * std::sin(0.1) + 4 * std::cos(0.1), 1e-6);
}

}  // namespace
}  // namespace quern::ops
