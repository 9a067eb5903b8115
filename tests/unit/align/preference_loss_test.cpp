// Losses on pairs: hand-worked numbers, and derivatives against central differences.
#include "align/preference_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace quern::align {
namespace {

constexpr PairLossKind kKinds[] = {PairLossKind::sigmoid, PairLossKind::robust, PairLossKind::hinge,
                                   PairLossKind::ipo,     PairLossKind::orpo,   PairLossKind::simpo};

PairLossOptions options(PairLossKind kind, double smoothing = 0.0) {
  return {.kind = kind, .beta = 0.5, .gamma = 0.3, .label_smoothing = smoothing};
}

// Ratios of -1 and -3 nats: D = 2 and b D = 1. Means of -1 and -2 nats a token, and of the ratios -0.25 and -0.5.
const AnswerLogProb kChosen{.sum = -4.0, .reference = -3.0, .tokens = 4};
const AnswerLogProb kRejected{.sum = -12.0, .reference = -9.0, .tokens = 6};

TEST(PairLoss, IsWhatThePapersSay) {
  const auto loss = [](PairLossKind kind, double smoothing = 0.0) {
    return pair_loss(kChosen, kRejected, options(kind, smoothing)).loss;
  };
  EXPECT_NEAR(loss(PairLossKind::sigmoid), std::log(1.0 + std::exp(-1.0)), 1e-12);
  EXPECT_NEAR(loss(PairLossKind::sigmoid, 0.1),
              0.9 * std::log(1.0 + std::exp(-1.0)) + 0.1 * std::log(1.0 + std::exp(1.0)), 1e-12);
  EXPECT_NEAR(loss(PairLossKind::robust, 0.1),
              (0.9 * std::log(1.0 + std::exp(-1.0)) - 0.1 * std::log(1.0 + std::exp(1.0))) / 0.8, 1e-12);
  EXPECT_NEAR(loss(PairLossKind::hinge), 0.0, 1e-12);
  EXPECT_NEAR(loss(PairLossKind::ipo), std::pow(0.25 - 1.0, 2), 1e-12);
  EXPECT_NEAR(loss(PairLossKind::simpo), std::log(1.0 + std::exp(-(0.5 * 1.0 - 0.3))), 1e-12);
  const double odds = std::exp(-1.0) / (1.0 - std::exp(-1.0)) / (std::exp(-2.0) / (1.0 - std::exp(-2.0)));
  EXPECT_NEAR(loss(PairLossKind::orpo), 0.5 * std::log(1.0 + 1.0 / odds), 1e-12);
}

TEST(PairLoss, RewardsAreWhatIsCompared) {
  const PairLoss dpo = pair_loss(kChosen, kRejected, options(PairLossKind::sigmoid));
  EXPECT_DOUBLE_EQ(dpo.chosen_reward, -0.5);
  EXPECT_DOUBLE_EQ(dpo.rejected_reward, -1.5);
  EXPECT_DOUBLE_EQ(dpo.margin(), 1.0);
  EXPECT_DOUBLE_EQ(pair_loss(kChosen, kRejected, options(PairLossKind::simpo)).margin(), 0.5);
}

TEST(PairLoss, DerivativesAreThoseOfTheLoss) {
  Rng rng(4, 0);
  for (const PairLossKind kind : kKinds) {
    for (int trial = 0; trial < 50; ++trial) {
      const PairLossOptions o = options(kind, kind <= PairLossKind::robust && trial % 2 ? 0.2 : 0.0);
      AnswerLogProb answers[2];
      for (AnswerLogProb& a : answers) {
        a.tokens = 1 + static_cast<int64_t>(rng.below(9));
        a.sum = -0.05 - 6.0 * rng.uniform();
        a.reference = has_reference(kind) ? -6.0 * rng.uniform() : 0.0;
      }
      const PairLoss pair = pair_loss(answers[0], answers[1], o);
      const double x =
          o.beta * (answers[0].sum - answers[0].reference - answers[1].sum + answers[1].reference);
      if (kind == PairLossKind::hinge && std::fabs(1.0 - x) < 1e-3) continue;  // a kink
      for (const int which : {0, 1}) {
        constexpr double kStep = 1e-6;
        const auto moved = [&](double by) {
          AnswerLogProb other[2] = {answers[0], answers[1]};
          other[which].sum += by;
          return pair_loss(other[0], other[1], o).loss;
        };
        const double slope = (moved(kStep) - moved(-kStep)) / (2.0 * kStep);
        EXPECT_NEAR(which == 0 ? pair.d_chosen : pair.d_rejected, slope, 1e-6 * (1.0 + std::fabs(slope)))
            << "kind " << static_cast<int>(kind) << ", answer " << which;
      }
    }
  }
}

// Far apart, either way round, and certain answers.
TEST(PairLoss, StaysFinite) {
  for (const PairLossKind kind : kKinds) {
    for (const double distance : {-1e5, 1e5}) {
      const AnswerLogProb near{.sum = 0.0, .reference = 0.0, .tokens = 3};
      const AnswerLogProb far{.sum = -1e5, .reference = 0.0, .tokens = 3};
      const PairLoss pair =
          distance < 0 ? pair_loss(far, near, options(kind)) : pair_loss(near, far, options(kind));
      EXPECT_TRUE(std::isfinite(pair.loss)) << static_cast<int>(kind);
      EXPECT_TRUE(std::isfinite(pair.d_chosen) && std::isfinite(pair.d_rejected)) << static_cast<int>(kind);
      EXPECT_EQ(pair.margin() > 0.0, distance > 0) << static_cast<int>(kind);
    }
  }
}

}  // namespace
}  // namespace quern::align
