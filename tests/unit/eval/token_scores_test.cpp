#include "eval/token_scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/exception.h"

namespace quern::eval {
namespace {

Tensor rows(const std::vector<float>& values, int64_t vocab) {
  return Tensor::from(values, {static_cast<int64_t>(values.size()) / vocab, vocab});
}

std::vector<TokenScore> compare(const Tensor& logits, const Tensor& base,
                                const std::vector<int32_t>& targets) {
  std::vector<TokenScore> scores(targets.size());
  score_rows(logits, base, targets, scores);
  return scores;
}

TEST(TokenScores, LossOfTheTokenThatCame) {
  // Probabilities 1/4, 3/4, whatever is added to all logits.
  const auto third = static_cast<float>(std::log(3.0));
  std::vector<TokenScore> scores(3);
  score_rows(rows({0, third, 1000, 1000 + third, -1000, -1000 + third}, 2), std::vector<int32_t>{0, 1, 0},
             scores);
  EXPECT_NEAR(scores[0].nll, std::log(4.0), 1e-7);
  EXPECT_NEAR(scores[1].nll, std::log(4.0 / 3), 1e-4);  // f32 logits of 1000 carry 6e-5
  EXPECT_NEAR(scores[2].nll, std::log(4.0), 1e-4);
}

TEST(TokenScores, DivergenceByHand) {
  // Base 1/2, 1/2; model 1/4, 3/4: 1/2 ln 2 + 1/2 ln 2/3.
  const TokenScore score =
      compare(rows({0, static_cast<float>(std::log(3.0))}, 2), rows({5, 5}, 2), {1}).front();
  EXPECT_NEAR(score.kl, 0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3), 1e-7);
  EXPECT_NEAR(score.nll, std::log(4.0 / 3), 1e-7);
  EXPECT_NEAR(score.base_nll, std::log(2.0), 1e-12);
  EXPECT_FALSE(score.same_top);  // of equals the base takes the first
}

TEST(TokenScores, AModelDoesNotDifferFromItself) {
  std::vector<float> values;
  for (int i = 0; i < 3000; ++i) values.push_back(static_cast<float>(20.0 * std::sin(i * 1.7)));
  const Tensor logits = rows(values, 1000);
  for (const TokenScore& score : compare(logits, logits, {1, 2, 3})) {
    EXPECT_EQ(score.kl, 0.0);
    EXPECT_EQ(score.nll, score.base_nll);
    EXPECT_TRUE(score.same_top);
  }
}

TEST(TokenScores, SmallDivergencesOverALargeVocabularyAreResolved) {
  // Shifting one of V equal logits by d changes KL by (V - 1) / V^2 * d^2 / 2.
  constexpr int64_t kVocab = 50000;
  std::vector<float> base(kVocab, 0.0f), model(kVocab, 0.0f);
  model[7] = 0.0009765625f;  // 2^-10
  const double v = kVocab, d = model[7];
  const TokenScore score = compare(rows(model, kVocab), rows(base, kVocab), {0}).front();
  EXPECT_NEAR(score.kl, (v - 1) / v / v * d * d / 2, 1e-12);
}

TEST(TokenScores, ImpossibleTokens) {
  const float never = -std::numeric_limits<float>::infinity();
  const auto scores = compare(rows({0, never, never, 0}, 2), rows({0, never, 0, never}, 2), {0, 0});
  EXPECT_EQ(scores[0].kl, 0.0);
  EXPECT_EQ(scores[0].nll, 0.0);
  EXPECT_TRUE(std::isinf(scores[1].kl));
  EXPECT_TRUE(std::isinf(scores[1].nll));
}

TEST(TokenScores, RefusesOtherShapesAndTokens) {
  std::vector<TokenScore> scores(1);
  EXPECT_THROW(score_rows(rows({0, 1}, 2), std::vector<int32_t>{2}, scores), ShapeError);
  EXPECT_THROW(score_rows(rows({0, 1}, 1), std::vector<int32_t>{0}, scores), ShapeError);
  EXPECT_THROW(score_rows(rows({0, 1}, 2), rows({0, 1, 2}, 3), std::vector<int32_t>{0}, scores), ShapeError);
}

}  // namespace
}  // namespace quern::eval
