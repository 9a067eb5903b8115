// The loss of reward models, and what is said of how well they know.
#include "align/reward_loss.h"

#include <gtest/gtest.h>

#include <cmath>

namespace quern::align {
namespace {

TEST(RewardLoss, IsThatOfBradleyAndTerry) {
  // -log s(1.5 - 0.25 - 0.5) = log(1 + e^-0.75)
  EXPECT_NEAR(reward_loss(1.5, 0.25, 0.5, {}).loss, 0.386871, 1e-5);
  EXPECT_NEAR(reward_loss(0.0, 0.0, 0.0, {}).loss, std::log(2.0), 1e-15);
  // and 0.01 (1.5 + 0.25)^2
  EXPECT_NEAR(reward_loss(1.5, 0.25, 0.5, {.center = 0.01}).loss, 0.386871 + 0.030625, 1e-5);
  // Far apart, in both directions.
  EXPECT_NEAR(reward_loss(-500.0, 500.0, 0.0, {}).loss, 1000.0, 1e-9);
  EXPECT_NEAR(reward_loss(500.0, -500.0, 0.0, {}).loss, 0.0, 1e-300);
}

TEST(RewardLoss, HasTheDerivativesOfCentralDifferences) {
  constexpr double kStep = 1e-6;
  for (const double chosen : {-3.0, 0.2, 4.0}) {
    for (const double rejected : {-2.0, 0.1, 5.0}) {
      for (const RewardLossOptions options : {RewardLossOptions{}, RewardLossOptions{.center = 0.03}}) {
        const auto loss = [&](double w, double l) { return reward_loss(w, l, 0.4, options).loss; };
        const RewardLoss at = reward_loss(chosen, rejected, 0.4, options);
        EXPECT_NEAR(at.d_chosen,
                    (loss(chosen + kStep, rejected) - loss(chosen - kStep, rejected)) / (2 * kStep), 1e-8);
        EXPECT_NEAR(at.d_rejected,
                    (loss(chosen, rejected + kStep) - loss(chosen, rejected - kStep)) / (2 * kStep), 1e-8);
      }
    }
  }
}

double logit(double p) { return std::log(p / (1.0 - p)); }

TEST(RewardCalibration, WeighsBinsByTheirPairs) {
  RewardCalibration c;
  // Three pairs that it is 72 % sure of, two of them right; one that it is 96 % sure of, and right; one wrongly.
  c.add(logit(0.72), 0.0);
  c.add(0.0, -logit(0.72));
  c.add(0.0, logit(0.72));
  c.add(logit(0.96), 0.0);
  c.add(1.0, 1.0 + logit(0.96));
  EXPECT_NEAR(c.accuracy(), 0.6, 1e-12);
  // (|3 x 0.72 - 2| + |2 x 0.96 - 1|) / 5
  EXPECT_NEAR(c.calibration_error(), (0.16 + 0.92) / 5.0, 1e-12);
  EXPECT_NEAR(c.brier(), (2 * 0.28 * 0.28 + 0.72 * 0.72 + 0.04 * 0.04 + 0.96 * 0.96) / 5.0, 1e-12);
}

TEST(RewardCalibration, TakesATieForHalf) {
  RewardCalibration c;
  c.add(0.3, 0.3);
  EXPECT_EQ(c.accuracy(), 0.5);
  EXPECT_EQ(c.calibration_error(), 0.0);
  EXPECT_EQ(c.brier(), 0.25);
  c.add(1e6, 0.0);  // certain, and right
  EXPECT_EQ(c.calibration_error(), 0.0);
}

}  // namespace
}  // namespace quern::align
