#include "infer/token_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace quern::infer {
namespace {

// The tokens of a vocabulary of 8 that may come.
std::vector<int32_t> allowed(const TokenRules& rules, const std::vector<int32_t>& tokens, int64_t generated,
                             const std::vector<int32_t>& ends = {}) {
  std::vector<float> scores(8, 1.5f);
  apply(rules, {tokens, generated, 10, ends}, scores);
  std::vector<int32_t> result;
  for (int32_t i = 0; i < 8; ++i) {
    if (!std::isinf(scores[static_cast<size_t>(i)])) result.push_back(i);
  }
  return result;
}

TEST(TokenRules, NoNTokensInARowComeTwice) {
  const std::vector<int32_t> tokens{1, 2, 3, 1, 2};
  EXPECT_THAT(allowed({.no_repeat_ngram = 3}, tokens, 1), testing::ElementsAre(0, 1, 2, 4, 5, 6, 7));
  EXPECT_THAT(allowed({.no_repeat_ngram = 2}, tokens, 1), testing::ElementsAre(0, 1, 2, 4, 5, 6, 7));
  EXPECT_THAT(allowed({.no_repeat_ngram = 1}, tokens, 1), testing::ElementsAre(0, 4, 5, 6, 7));
  EXPECT_EQ(allowed({.no_repeat_ngram = 4}, tokens, 1).size(), 8u);
  EXPECT_EQ(allowed({.no_repeat_ngram = 9}, tokens, 1).size(), 8u);
}

TEST(TokenRules, NoEndBeforeTheShortestAnswer) {
  EXPECT_THAT(allowed({.min_tokens = 3}, {1, 2}, 2, {0, 5, 99}), testing::ElementsAre(1, 2, 3, 4, 6, 7));
  EXPECT_EQ(allowed({.min_tokens = 3}, {1, 2}, 3, {0, 5}).size(), 8u);
}

TEST(TokenRules, ForcedTokensAreAlone) {
  const TokenRules rules{.forced_first = 4, .forced_last = 6};
  EXPECT_THAT(allowed(rules, {1}, 0), testing::ElementsAre(4));
  EXPECT_EQ(allowed(rules, {1, 4}, 1).size(), 8u);
  EXPECT_THAT(allowed(rules, {1, 4}, 9), testing::ElementsAre(6));
}

}  // namespace
}  // namespace quern::infer
