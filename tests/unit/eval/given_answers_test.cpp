// Answers of models to held-out prompts, and which are preferred.
#include "eval/given_answers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "unit/align/tiny_policy.h"

namespace quern::eval {
namespace {

constexpr GiveOptions kShort{.max_tokens = 12, .draws = 3, .seed = 5};

TEST(GivenAnswers, AreAFunctionOfModelPromptsAndOptions) {
  const auto loaded = align::tiny_policy();
  const align::PromptSet prompts = align::tiny_prompts(*loaded, 70);  // more than are asked at once
  const GivenAnswers first = give_answers(loaded, prompts, kShort).value();
  const GivenAnswers again = give_answers(loaded, prompts, kShort).value();
  EXPECT_EQ(first.likeliest, again.likeliest);
  EXPECT_EQ(first.drawn, again.drawn);
  ASSERT_EQ(first.likeliest.size(), 70u);
  ASSERT_EQ(first.drawn.size(), 70u);
  for (const auto& draws : first.drawn) EXPECT_EQ(draws.size(), 3u);
  EXPECT_NE(first.drawn[0], first.drawn[64]);  // another round is drawn otherwise
  EXPECT_GE(first.tokens, 1.0);
  EXPECT_LE(first.tokens, 12.0);
  GiveOptions other = kShort;
  other.seed = 6;
  EXPECT_NE(give_answers(loaded, prompts, other).value().drawn, first.drawn);
  other.draws = 0;
  const GivenAnswers likeliest = give_answers(loaded, prompts, other).value();
  EXPECT_EQ(likeliest.likeliest, first.likeliest);
  EXPECT_TRUE(likeliest.drawn[0].empty());
}

TEST(GivenAnswers, PromptsMustLeaveRoom) {
  const auto loaded = align::tiny_policy();
  const align::PromptSet prompts = align::tiny_prompts(*loaded, 1);
  EXPECT_EQ(give_answers(loaded, prompts, {.max_tokens = 96}).error().code, ErrorCode::invalid_argument);
}

GivenAnswers drawn(std::vector<std::vector<std::string>> answers) {
  GivenAnswers given;
  given.drawn = std::move(answers);
  return given;
}

// The longer answer wins. Draws of one prompt count once.
TEST(WinRate, IsTheMeanOverPromptsOfTheMeanOverDraws) {
  const Judge longer = [](size_t, std::string_view a, std::string_view b) {
    return a.size() > b.size() ? 1.0 : a.size() < b.size() ? 0.0 : 0.5;
  };
  const GivenAnswers a = drawn({{"xx", "x"}, {"xxx", "xxx"}, {"x", "x"}, {"", "xxx"}});
  const GivenAnswers b = drawn({{"x", "x"}, {"x", "x"}, {"x", "xx"}, {"xx", "x"}});
  const Estimate rate = win_rate(a, b, longer);  // 0.75, 1, 0.25, 0.5
  EXPECT_DOUBLE_EQ(rate.value, 0.625);
  const double squares = 0.125 * 0.125 + 0.375 * 0.375 + 0.375 * 0.375 + 0.125 * 0.125;
  EXPECT_NEAR(rate.error, std::sqrt(squares / 4 / 3), 1e-12);
  EXPECT_DOUBLE_EQ(win_rate(b, a, longer).value, 1.0 - rate.value);
  EXPECT_DOUBLE_EQ(win_rate(a, a, longer).value, 0.5);
}

}  // namespace
}  // namespace quern::eval
