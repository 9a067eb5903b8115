#include "engine/ngram_proposer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"

namespace quern::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Guess guess_of(NgramProposer& proposer, const std::vector<int32_t>& tokens, int64_t most = 4,
               SequenceId id = 1) {
  Guess guess{.id = id, .tokens = tokens, .most = most};
  proposer.look(guess);
  Guess* wanted = &guess;
  if (guess.most > 0) proposer.propose(std::span(&wanted, 1));
  return guess;
}

TEST(NgramProposer, SaysWhatFollowedTheLastTokensBefore) {
  NgramProposer proposer;
  EXPECT_THAT(guess_of(proposer, {1}).drafts, IsEmpty());
  EXPECT_THAT(guess_of(proposer, {1, 2}, 4, 2).drafts, IsEmpty());
  const Guess guess = guess_of(proposer, {1, 2, 3, 4, 5, 6, 9, 1, 2, 3});
  EXPECT_THAT(guess.drafts, ElementsAre(4, 5, 6, 9));
  EXPECT_EQ(guess.next, 4);
  EXPECT_THAT(guess_of(proposer, {7, 1, 7}, 4, 3).drafts, IsEmpty());  // one token is no match
}

TEST(NgramProposer, TheLongestMatchWinsAndOfEqualsTheLatest) {
  NgramProposer proposer;
  EXPECT_THAT(guess_of(proposer, {5, 1, 2, 10, 6, 1, 2, 20, 7, 1, 2, 30, 6, 1, 2}, 1).drafts,
              ElementsAre(20));
  EXPECT_THAT(guess_of(proposer, {5, 1, 2, 10, 6, 1, 2, 20, 8, 1, 2}, 1, 2).drafts, ElementsAre(20));
}

TEST(NgramProposer, LongerMatchesAreOfAnotherKind) {
  NgramProposer proposer;
  std::vector<int32_t> tokens(10);
  for (int i = 0; i < 10; ++i) tokens[static_cast<size_t>(i)] = 100 + i;
  std::vector<int32_t> kinds;
  for (const size_t length : {2u, 3u, 4u, 8u}) {
    std::vector<int32_t> text = tokens;
    text.push_back(1);
    text.insert(text.end(), tokens.end() - static_cast<std::ptrdiff_t>(length) - 1, tokens.end() - 1);
    kinds.push_back(guess_of(proposer, text, 1, static_cast<SequenceId>(length)).kind);
  }
  EXPECT_THAT(kinds, ElementsAre(0, 1, 2, 3));
}

TEST(NgramProposer, GoesRoundInALoop) {
  NgramProposer proposer;
  EXPECT_THAT(guess_of(proposer, {9, 1, 2, 3, 1, 2, 3, 1}, 7).drafts, ElementsAre(2, 3, 1, 2, 3, 1, 2));
  EXPECT_THAT(guess_of(proposer, {4, 4, 4}, 3, 2).drafts, ElementsAre(4, 4, 4));
}

// As a search of the whole text, token by token as it grows, also after it became another one.
TEST(NgramProposer, FindsWhatASearchFinds) {
  NgramProposer proposer;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    Rng rng(seed, 1);
    std::vector<int32_t> text;
    for (int i = 0; i < 60; ++i) {  // fewer of one pair than are compared
      text.push_back(static_cast<int32_t>(rng.below(6)));
      const auto count = static_cast<int64_t>(text.size());
      int64_t longest = 1, best = -1;
      for (int64_t end = count - 1; end >= 2; --end) {
        int64_t length = 0;
        while (length < std::min<int64_t>(end, 16) &&
               text[static_cast<size_t>(end - 1 - length)] == text[static_cast<size_t>(count - 1 - length)])
          ++length;
        if (length <= longest) continue;
        longest = length;
        best = end;
      }
      const Guess guess = guess_of(proposer, text, 1);
      ASSERT_EQ(guess.most > 0, best >= 0) << i;
      if (best < 0) continue;
      ASSERT_THAT(guess.drafts, ElementsAre(text[static_cast<size_t>(best)])) << i;
    }
  }
}

}  // namespace
}  // namespace quern::engine
