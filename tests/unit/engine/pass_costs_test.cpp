#include "engine/pass_costs.h"

#include <gtest/gtest.h>

namespace quern::engine {
namespace {

void add(PassCosts& costs, int passes, int64_t tokens, double seconds) {
  for (int i = 0; i < passes; ++i) costs.add(tokens, seconds);
}

TEST(PassCosts, AreOnALineBetweenWhatWasSeenAndRiseSlowlyBeyond) {
  PassCosts costs;
  EXPECT_FALSE(costs.knows(5));
  add(costs, 2, 3, 0.1);
  EXPECT_FALSE(costs.knows(5));
  costs.add(3, 0.1);
  EXPECT_FALSE(costs.knows(2));
  EXPECT_TRUE(costs.knows(3));
  EXPECT_DOUBLE_EQ(costs.seconds(3), 0.1);
  EXPECT_DOUBLE_EQ(costs.seconds(5), 0.11);
  add(costs, 100, 7, 0.3);
  EXPECT_DOUBLE_EQ(costs.seconds(3), 0.1);
  EXPECT_NEAR(costs.seconds(4), 0.15, 1e-6);
  EXPECT_NEAR(costs.seconds(7), 0.3, 1e-6);
  EXPECT_NEAR(costs.seconds(8), 0.305, 1e-6);
}

TEST(PassCosts, OnePassSaysLittle) {
  PassCosts costs;
  add(costs, 3, 1, 0.1);
  costs.add(1, 50.0);
  EXPECT_LT(costs.seconds(1), 0.13);
  costs.add(9, 50.0);
  EXPECT_LT(costs.seconds(9), 0.25);
}

TEST(PassCosts, FollowWhatPassesTakeNow) {
  PassCosts costs;
  add(costs, 10, 1, 1.0);
  add(costs, 50, 1, 0.0);
  EXPECT_LT(costs.seconds(1), 1e-3);
  EXPECT_GT(costs.seconds(1), 0.0);
  add(costs, 200, 1, 2.0);
  EXPECT_NEAR(costs.seconds(1), 2.0, 1e-3);
}

}  // namespace
}  // namespace quern::engine
