#include "train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace quern::train {
namespace {

TEST(Schedule, WarmsUpLinearlyFromAboveZero) {
  const Schedule schedule{.decay = Decay::constant, .lr = 1.0, .warmup = 4, .total = 100};
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.25);
  EXPECT_DOUBLE_EQ(schedule.at(3), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(50), 1.0);
}

TEST(Schedule, CosineMatchesNanoGptFormula) {
  const Schedule schedule{.decay = Decay::cosine, .lr = 6e-4, .min_ratio = 0.1, .warmup = 100, .total = 1100};
  EXPECT_NEAR(schedule.at(600), 6e-5 + 0.5 * (6e-4 - 6e-5), 1e-12);
  EXPECT_NEAR(schedule.at(1100), 6e-5, 1e-12);
  EXPECT_NEAR(schedule.at(350), 6e-5 + 0.5 * (1 + std::cos(M_PI * 0.25)) * (6e-4 - 6e-5), 1e-12);
}

TEST(Schedule, LinearFallsToTheFloor) {
  const Schedule schedule{.decay = Decay::linear, .lr = 1.0, .min_ratio = 0.0, .warmup = 0, .total = 10};
  EXPECT_DOUBLE_EQ(schedule.at(0), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(5), 0.5);
}

TEST(Schedule, WsdStaysThenDecays) {
  const Schedule schedule{
      .decay = Decay::wsd, .lr = 1.0, .min_ratio = 0.0, .warmup = 0, .total = 100, .decay_fraction = 0.2};
  EXPECT_DOUBLE_EQ(schedule.at(80), 1.0);
  EXPECT_NEAR(schedule.at(85), 1.0 - std::sqrt(0.25), 1e-12);
  EXPECT_NEAR(schedule.at(100), 0.0, 1e-12);
}

TEST(StepValue, ParsesCurricula) {
  const auto value = StepValue::parse("train.batch", "32@0,64@500,128@2000").value();
  EXPECT_EQ(value.at(0), 32);
  EXPECT_EQ(value.at(499), 32);
  EXPECT_EQ(value.at(500), 64);
  EXPECT_EQ(value.at(9999), 128);
  EXPECT_EQ(value.max(), 128);
  EXPECT_EQ(value.to_string(), "32@0,64@500,128@2000");
  EXPECT_EQ(StepValue::parse("train.batch", "12").value().at(7), 12);
}

TEST(StepValue, RefusesNonsenseNamingTheKey) {
  for (const char* text : {"", "0", "-3", "a", "3@1", "3@0,4@0", "3@0,4", "3@0,,4@5", "3@0,4@x"}) {
    const auto value = StepValue::parse("train.batch", text);
    ASSERT_FALSE(value.ok()) << text;
    EXPECT_NE(value.error().message.find("train.batch"), std::string::npos);
  }
}

}  // namespace
}  // namespace quern::train
