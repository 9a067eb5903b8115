#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace quern::eval {
namespace {

TEST(Statistics, MeanAndItsError) {
  // The spread around 4 is 9 + 1 + 0 + 16; of n values the error is sqrt(spread / n / (n - 1)).
  const Estimate mean = mean_of(std::vector<double>{1.0, 3.0, 4.0, 8.0});
  EXPECT_DOUBLE_EQ(mean.value, 4.0);
  EXPECT_DOUBLE_EQ(mean.error, std::sqrt(26.0 / 4 / 3));
}

TEST(Statistics, OneValueHasNoError) {
  EXPECT_EQ(mean_of({}).value, 0.0);
  EXPECT_EQ(mean_of(std::vector<double>{5.0}).value, 5.0);
  EXPECT_EQ(mean_of(std::vector<double>{5.0}).error, 0.0);
}

TEST(Statistics, SpreadSurvivesALargeMean) {
  // A sum of squares would lose the spread of 1 beside 1e18.
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i) values.push_back(1e9 + (i % 2 == 0 ? 1.0 : -1.0));
  EXPECT_NEAR(mean_of(values).error, 1.0 / std::sqrt(999.0), 1e-6);
}

TEST(Statistics, Correlation) {
  const std::vector<double> a{1, 2, 3}, opposite{6, 4, 2}, constant{1, 1, 1}, other{1, 3, 2};
  EXPECT_DOUBLE_EQ(correlation(a, opposite), -1.0);
  EXPECT_EQ(correlation(a, constant), 0.0);
  EXPECT_DOUBLE_EQ(correlation(a, other), 0.5);
  EXPECT_DOUBLE_EQ(covariance(a, other), 1.0 / 3);
}

TEST(Statistics, QuantilesAreLinearBetweenNeighbours) {
  const std::vector<double> sorted{0.0, 10.0, 20.0, 40.0};
  EXPECT_EQ(quantile(sorted, 0.0), 0.0);
  EXPECT_EQ(quantile(sorted, 1.0), 40.0);
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.5), 15.0);
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.9), 34.0);
  EXPECT_EQ(quantile(std::vector<double>{3.0}, 0.3), 3.0);
  EXPECT_EQ(quantile({}, 0.5), 0.0);
}

TEST(Statistics, ErrorsPassThroughFunctions) {
  const Estimate e = exponential({1.0, 0.5});
  EXPECT_DOUBLE_EQ(e.value, std::exp(1.0));
  EXPECT_DOUBLE_EQ(e.error, 0.5 * std::exp(1.0));
  EXPECT_DOUBLE_EQ(through({0.0, 2.0}, 7.0, -3.0).error, 6.0);
}

}  // namespace
}  // namespace quern::eval
