#include "encoding/sentence_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace quern::encoding {
namespace {

struct Example {
  std::vector<double> sides[3];
  std::vector<double> scores{0.2, 0.9, 0.5, 0.9};
  static constexpr size_t kWidth = 5;

  explicit Example(bool thirds) {
    Rng rng(4, 2);
    for (size_t side = 0; side < (thirds ? 3 : 2); ++side)
      for (size_t i = 0; i < 4 * kWidth; ++i) sides[side].push_back(rng.normal());
  }
  SentenceLoss loss(const SentenceLossOptions& options) const {
    return sentence_loss({sides[0], kWidth}, {sides[1], kWidth}, {sides[2], kWidth}, scores, options);
  }
};

struct SentenceCase {
  const char* name;
  SentenceLossOptions options;
  bool thirds;
};

class SentenceGradient : public testing::TestWithParam<SentenceCase> {};

TEST_P(SentenceGradient, AgreesWithCentralDifferences) {
  const auto& [name, options, thirds] = GetParam();
  Example example(thirds);
  const SentenceLoss loss = example.loss(options);
  constexpr double kStep = 1e-6;
  for (size_t side = 0; side < (thirds ? 3 : 2); ++side) {
    for (size_t i = 0; i < example.sides[side].size(); ++i) {
      double& value = example.sides[side][i];
      const double before = value;
      value = before + kStep;
      const double above = example.loss(options).sum;
      value = before - kStep;
      const double below = example.loss(options).sum;
      value = before;
      EXPECT_NEAR((above - below) / (2 * kStep), loss.gradients[side][i], 1e-6) << side << " " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Losses, SentenceGradient,
                         testing::Values(SentenceCase{"pairs", {SentenceLossKind::ranking, 5.0}, false},
                                         SentenceCase{"triplets", {SentenceLossKind::ranking, 5.0}, true},
                                         SentenceCase{"margin", {SentenceLossKind::triplet, 1.0, 0.5}, true},
                                         SentenceCase{"cosine", {SentenceLossKind::cosine}, false},
                                         SentenceCase{"cosent", {SentenceLossKind::cosent, 4.0}, false}),
                         [](const auto& which) { return which.param.name; });

// Two anchors on the axes: by hand.
TEST(SentenceLoss, IsTheCrossEntropyOfCosines) {
  const std::vector<double> anchors{1, 0, 0, 2}, seconds{3, 0, 1, 1};
  const SentenceLoss loss =
      sentence_loss({anchors, 2}, {seconds, 2}, {}, {}, {SentenceLossKind::ranking, 2.0});
  const double half = std::sqrt(0.5);
  const double first = std::log(std::exp(2.0) + std::exp(2.0 * half)) - 2.0;
  const double second = std::log(std::exp(0.0) + std::exp(2.0 * half)) - 2.0 * half;
  EXPECT_NEAR(loss.sum, first + second, 1e-12);
  EXPECT_EQ(loss.right, 2);
  EXPECT_NEAR(loss.cosines[1], half, 1e-12);
}

TEST(SentenceLoss, ComparesOrdersOfScores) {
  const std::vector<double> anchors{1, 0, 1, 0}, seconds{1, 0, 0, 1}, scores{1.0, 0.0};
  const SentenceLoss loss =
      sentence_loss({anchors, 2}, {seconds, 2}, {}, scores, {SentenceLossKind::cosent, 3.0});
  EXPECT_NEAR(loss.sum / 2.0, std::log(1.0 + std::exp(-3.0)), 1e-12);
}

}  // namespace
}  // namespace quern::encoding
