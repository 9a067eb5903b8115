// The policy loss against numbers worked by hand, central differences, and what TRL's GRPOTrainer computes.
#include "align/policy_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/source_dir.h"

namespace quern::align {
namespace {

using testing::DoubleEq;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::Pointwise;

TEST(GroupAdvantages, AreDistancesFromTheMeanOfTheGroup) {
  // Mean 0.25, squares 0.75 / 3: the deviation is 0.5.
  const std::vector<double> rewards = {1.0, 0.0, 0.0, 0.0};
  EXPECT_THAT(group_advantages(rewards, false), ElementsAre(0.75, -0.25, -0.25, -0.25));
  const double divisor = 0.5 + 1e-4;
  EXPECT_THAT(group_advantages(rewards, true),
              ElementsAre(DoubleEq(0.75 / divisor), DoubleEq(-0.25 / divisor), DoubleEq(-0.25 / divisor),
                          DoubleEq(-0.25 / divisor)));
}

TEST(GroupAdvantages, OfEqualRewardsAreNothing) {
  // The mean of three times 0.1 is not 0.1.
  const std::vector<double> rewards = {0.1, 0.1, 0.1};
  EXPECT_THAT(group_advantages(rewards, true), ElementsAre(0.0, 0.0, 0.0));
}

TEST(PolicyLoss, OfOneTokenByHand) {
  const double before = std::log(0.25);
  // The ratio is 2, the advantage 1.5: held at 1.2.
  const PolicyLoss up = policy_loss({std::log(0.5), before}, 1.5, {});
  EXPECT_DOUBLE_EQ(up.loss, -1.2 * 1.5);
  EXPECT_EQ(up.d, 0.0);
  EXPECT_TRUE(up.clipped);
  // The same ratio where the token should become less likely: not held.
  const PolicyLoss down = policy_loss({std::log(0.5), before}, -1.5, {});
  EXPECT_DOUBLE_EQ(down.loss, 3.0);
  EXPECT_DOUBLE_EQ(down.d, 3.0);
  EXPECT_FALSE(down.clipped);
  // As it was drawn: the gradient of the likelihood, weighed.
  const PolicyLoss first = policy_loss({before, before}, 1.5, {});
  EXPECT_DOUBLE_EQ(first.loss, -1.5);
  EXPECT_DOUBLE_EQ(first.d, -1.5);
  // Twice as likely for the reference: 2 - log 2 - 1.
  const PolicyLoss held = policy_loss({before, before, std::log(0.5)}, 0.0, {.beta = 0.1});
  EXPECT_DOUBLE_EQ(held.kl, 1.0 - std::log(2.0));
  EXPECT_DOUBLE_EQ(held.loss, 0.1 * (1.0 - std::log(2.0)));
  EXPECT_DOUBLE_EQ(held.d, -0.1);
}

TEST(PolicyLoss, HasTheDerivativeOfItsDifferences) {
  constexpr double kStep = 1e-6;
  for (const double ratio : {-0.5, -0.1, 0.0, 0.15, 0.3}) {
    for (const double advantage : {-1.0, 0.0, 2.0}) {
      for (const double beta : {0.0, 0.04}) {
        const PolicyLossOptions options{.clip_low = 0.2, .clip_high = 0.28, .beta = beta};
        const auto at = [&](double x) { return policy_loss({x, -2.0, -1.3}, advantage, options); };
        const double now = -2.0 + ratio;
        const double numeric = (at(now + kStep).loss - at(now - kStep).loss) / (2.0 * kStep);
        EXPECT_NEAR(at(now).d, numeric, 1e-8) << ratio << " " << advantage << " " << beta;
      }
    }
  }
}

TEST(TokenShare, SumsToOneOrLess) {
  const std::vector<int64_t> lengths = {1, 3, 4};
  const StepAnswers step{.answers = 3, .tokens = 8, .max_tokens = 5};
  const auto total = [&](Aggregation how) {
    double sum = 0.0;
    for (const int64_t length : lengths) sum += static_cast<double>(length) * token_share(how, length, step);
    return sum;
  };
  EXPECT_DOUBLE_EQ(total(Aggregation::grpo), 1.0);
  EXPECT_DOUBLE_EQ(total(Aggregation::dapo), 1.0);
  EXPECT_DOUBLE_EQ(total(Aggregation::dr_grpo), 8.0 / 15.0);
  EXPECT_DOUBLE_EQ(token_share(Aggregation::grpo, 4, step), 1.0 / 12.0);
  EXPECT_DOUBLE_EQ(token_share(Aggregation::dapo, 4, step), 1.0 / 8.0);
}

// tools/goldens/grpo.py records the loss and its gradient by the log-probabilities as TRL's trainer has them.
TEST(PolicyLoss, AgreesWithTrl) {
  std::ifstream file(std::string(QUERN_SOURCE_DIR) + "/tests/golden/align/grpo.json");
  const auto golden = nlohmann::json::parse(file);
  ASSERT_GE(golden.at("cases").size(), 6u);
  for (const auto& recorded : golden.at("cases")) {
    SCOPED_TRACE(recorded.at("name").get<std::string>());
    const std::string kind = recorded.at("loss_type");
    const Aggregation how = kind == "grpo"   ? Aggregation::grpo
                            : kind == "dapo" ? Aggregation::dapo
                                             : Aggregation::dr_grpo;
    const auto rewards = recorded.at("rewards").get<std::vector<double>>();
    const auto group = recorded.at("group").get<size_t>();
    std::vector<double> advantages;
    for (size_t i = 0; i < rewards.size(); i += group) {
      const auto own = group_advantages(std::span(rewards).subspan(i, group), recorded.at("scaled"));
      advantages.insert(advantages.end(), own.begin(), own.end());
    }
    EXPECT_THAT(advantages,
                Pointwise(DoubleNear(1e-6), recorded.at("advantages").get<std::vector<double>>()));
    const auto now = recorded.at("now").get<std::vector<std::vector<double>>>();
    const auto before = recorded.at("before").get<std::vector<std::vector<double>>>();
    const auto reference = recorded.at("reference").get<std::vector<std::vector<double>>>();
    const auto wanted = recorded.at("gradient").get<std::vector<std::vector<double>>>();
    StepAnswers step{.answers = static_cast<int64_t>(now.size()), .max_tokens = recorded.at("max_tokens")};
    for (const auto& answer : now) step.tokens += static_cast<int64_t>(answer.size());
    const PolicyLossOptions options{recorded.at("clip_low"), recorded.at("clip_high"), recorded.at("beta")};
    double loss = 0.0;
    for (size_t i = 0; i < now.size(); ++i) {
      const double share = token_share(how, static_cast<int64_t>(now[i].size()), step);
      for (size_t j = 0; j < now[i].size(); ++j) {
        const PolicyLoss token =
            policy_loss({now[i][j], before[i][j], reference[i][j]}, advantages[i], options);
        loss += share * token.loss;
        EXPECT_NEAR(share * token.d, wanted[i][j], 1e-6) << i << ", " << j;
      }
    }
    EXPECT_NEAR(loss, recorded.at("loss").get<double>(), 1e-6);
  }
}

}  // namespace
}  // namespace quern::align
