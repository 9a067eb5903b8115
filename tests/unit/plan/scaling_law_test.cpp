#include "plan/scaling_law.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace quern::plan {
namespace {

// Chinchilla itself: 5.76e23 FLOPs, 70B parameters on 1.4T tokens (arXiv 2203.15556, table 3).
TEST(ChinchillaLaw, BesirogluOptimumIsAboutTwentyTokensPerParameter) {
  const auto optimum = kBesiroglu.optimum(5.76e23);
  EXPECT_NEAR(optimum.tokens / optimum.parameters, 20.0, 8.0);
  EXPECT_NEAR(6.0 * optimum.parameters * optimum.tokens, 5.76e23, 1e15);
}

TEST(ChinchillaLaw, OptimumIsAMinimumAlongTheBudget) {
  for (const ChinchillaLaw& law : {kHoffmann, kBesiroglu}) {
    const auto best = law.optimum(1e20);
    for (const double factor : {0.5, 0.9, 1.1, 2.0}) {
      EXPECT_GT(law.loss(best.parameters * factor, best.tokens / factor), best.loss);
    }
  }
}

TEST(KaplanLaw, OptimumIsAMinimumAndPrefersBiggerModelsThanChinchilla) {
  const KaplanLaw law;
  const auto best = law.optimum(1e23);
  for (const double factor : {0.5, 0.9, 1.1, 2.0}) {
    EXPECT_GT(law.loss(best.parameters * factor, best.tokens / factor), best.loss);
  }
  EXPECT_GT(best.parameters, kBesiroglu.optimum(1e23).parameters);
}

// Kaplan et al. 2020, table 6: 1.3e9 parameters for a petaflop-day.
TEST(KaplanLaw, AdviceIsThatOfThePaper) {
  EXPECT_DOUBLE_EQ(KaplanLaw{}.advised(1e15 * 86400).parameters, 1.3e9);
  EXPECT_NEAR(KaplanLaw{}.advised(1e16 * 86400).parameters / 1.3e9, 5.37, 0.01);
}

// 67B parameters and 1.5T tokens for the compute of Gopher (arXiv 2203.15556, table 3, approach 1).
TEST(RuleOfTwenty, GivesChinchillaForGophersBudget) {
  const auto optimum = rule_of_twenty(5.76e23, kBesiroglu);
  EXPECT_NEAR(optimum.parameters / 67e9, 1.0, 0.05);
  EXPECT_NEAR(optimum.tokens / 1.5e12, 1.0, 0.1);
}

TEST(FitChinchilla, LossesThatRiseAreRefused) {
  std::vector<MeasuredRun> runs;
  for (const double n : {1e6, 1e7, 1e8}) {
    for (const double d : {1e7, 1e8, 1e9}) runs.push_back({n, d, 2.0 + n / 1e8 + d / 1e9});
  }
  const auto fit = fit_chinchilla(runs);
  ASSERT_FALSE(fit.ok());
  EXPECT_NE(fit.error().message.find("losses that fall"), std::string::npos);
}

TEST(FitChinchilla, RecoversAKnownLawFromNoisyRuns) {
  Rng rng(3, 0);
  std::vector<MeasuredRun> runs;
  for (const double n : {1e6, 1e7, 1e8, 1e9}) {
    for (const double d : {1e8, 1e9, 1e10, 1e11}) {
      runs.push_back({n, d, kBesiroglu.loss(n, d) * (1.0 + 2e-4 * rng.normal())});
    }
  }
  const Fit fit = fit_chinchilla(runs).value();
  EXPECT_NEAR(fit.law.alpha, kBesiroglu.alpha, 0.02);
  EXPECT_NEAR(fit.law.beta, kBesiroglu.beta, 0.02);
  EXPECT_NEAR(fit.law.e, kBesiroglu.e, 0.05);
  EXPECT_LT(fit.max_error, 0.01);
}

TEST(FitChinchilla, TooFewRunsAreRefusedWithTheirCounts) {
  const std::vector<MeasuredRun> runs = {
      {1e6, 1e8, 4.0}, {1e7, 1e8, 3.5}, {1e8, 1e8, 3.2}, {1e9, 1e8, 3.1}, {2e9, 1e8, 3.0}};
  const auto fit = fit_chinchilla(runs);
  ASSERT_FALSE(fit.ok());
  EXPECT_NE(fit.error().message.find("5 runs over 5 and 1"), std::string::npos);
}

}  // namespace
}  // namespace quern::plan
