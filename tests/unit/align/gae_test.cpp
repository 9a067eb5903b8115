// Advantages, returns and losses of values, against numbers worked by hand.
#include "align/gae.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace quern::align {
namespace {

using testing::Pointwise;

MATCHER_P(NearTo, tolerance, "") { return std::fabs(std::get<0>(arg) - std::get<1>(arg)) <= tolerance; }

TEST(Gae, IsWorkedByHand) {
  // gamma 0.9, lambda 0.5: delta = (1 + 0.9 x 0.4 - 0.2, 0 + 0.9 x 0.6 - 0.4, 2 - 0.6) = (1.16, 0.14, 1.4)
  // A = (1.16 + 0.45 x 0.77, 0.14 + 0.45 x 1.4, 1.4) = (1.5065, 0.77, 1.4)
  const Gae gae = advantages_of(std::vector{1.0, 0.0, 2.0}, std::vector{0.2, 0.4, 0.6}, {0.9, 0.5});
  EXPECT_THAT(gae.advantages, Pointwise(NearTo(1e-12), {1.5065, 0.77, 1.4}));
  EXPECT_THAT(gae.returns, Pointwise(NearTo(1e-12), {1.7065, 1.17, 2.0}));
}

// With lambda 1 the returns are the discounted rewards, whatever the values say; with 0 they look one token ahead.
TEST(Gae, EndsInWhatIsKnownOfIt) {
  const std::vector<double> rewards{0.5, -1.0, 3.0}, values{7.0, -2.0, 1.5};
  EXPECT_THAT(advantages_of(rewards, values, {1.0, 1.0}).returns, Pointwise(NearTo(1e-12), {2.5, 2.0, 3.0}));
  EXPECT_THAT(advantages_of(rewards, values, {1.0, 0.0}).returns, Pointwise(NearTo(1e-12), {-1.5, 0.5, 3.0}));
}

TEST(Gae, TakesTheDistanceToTheReferenceFromEachToken) {
  EXPECT_THAT(shaped_rewards(std::vector{-1.0, -2.0}, std::vector{-1.5, -1.0}, 4.0, 0.1),
              Pointwise(NearTo(1e-12), {-0.05, 4.1}));
}

TEST(Whiten, IsOfAllTokensTogether) {
  std::vector<double> a{1.0, 2.0}, b{6.0};
  whiten(std::vector<std::span<double>>{a, b});
  // The mean is 3, the variance (4 + 1 + 9) / 2 = 7.
  EXPECT_THAT(a, Pointwise(NearTo(1e-8), {-2.0 / std::sqrt(7.0), -1.0 / std::sqrt(7.0)}));
  EXPECT_THAT(b, Pointwise(NearTo(1e-8), {3.0 / std::sqrt(7.0)}));
  std::vector<double> alone{5.0};
  whiten(std::vector<std::span<double>>{alone});
  EXPECT_EQ(alone.front(), 0.0);
}

TEST(ValueLoss, IsTheWorseOfTheTwo) {
  // Within the bounds.
  EXPECT_NEAR(value_loss(1.1, 1.0, 2.0, 0.2).loss, 0.5 * 0.9 * 0.9, 1e-12);
  // Past a bound, nearer to what is wanted than the bound: that of the bound, which gives no gradient.
  const ValueLoss held = value_loss(1.7, 1.0, 2.0, 0.2);
  EXPECT_TRUE(held.clipped);
  EXPECT_NEAR(held.loss, 0.5 * 0.8 * 0.8, 1e-12);
  EXPECT_EQ(held.d, 0.0);
  // Past a bound on the wrong side: it has to come back.
  const ValueLoss lost = value_loss(0.5, 1.0, 2.0, 0.2);
  EXPECT_FALSE(lost.clipped);
  EXPECT_NEAR(lost.d, -1.5, 1e-12);
}

TEST(ValueLoss, HasTheDerivativeOfCentralDifferences) {
  for (const double value : {0.3, 0.95, 1.15, 1.6, 2.4}) {
    const auto loss = [](double v) { return value_loss(v, 1.0, 2.0, 0.2).loss; };
    EXPECT_NEAR(value_loss(value, 1.0, 2.0, 0.2).d, (loss(value + 1e-6) - loss(value - 1e-6)) / 2e-6, 1e-8);
  }
}

TEST(ExplainedVariance, IsOfReturns) {
  const std::vector<double> returns{1.0, 2.0, 3.0};
  EXPECT_NEAR(explained_variance(returns, returns), 1.0, 1e-12);
  EXPECT_NEAR(explained_variance(returns, std::vector{5.0, 5.0, 5.0}), 0.0, 1e-12);
  EXPECT_NEAR(explained_variance(returns, std::vector{1.0, 2.0, 2.0}), 1.0 - (2.0 / 9.0) / (2.0 / 3.0),
              1e-12);
  EXPECT_EQ(explained_variance(std::vector{4.0, 4.0}, std::vector{1.0, 2.0}), 0.0);
}

TEST(KlControl, LeadsTheDistanceToItsTarget) {
  KlControl fixed{.weight = 0.1};
  fixed.follow(50.0, 100);
  EXPECT_EQ(fixed.weight, 0.1);
  KlControl led{.weight = 0.1, .target = 6.0, .horizon = 1000.0};
  led.follow(6.6, 100);  // a tenth too far
  EXPECT_NEAR(led.weight, 0.1 * 1.01, 1e-12);
  led.follow(600.0, 100);  // by a fifth of the share at most
  EXPECT_NEAR(led.weight, 0.1 * 1.01 * 1.02, 1e-12);
  led.follow(0.0, 100);
  EXPECT_NEAR(led.weight, 0.1 * 1.01 * 1.02 * 0.98, 1e-12);
}

}  // namespace
}  // namespace quern::align
