#include "infer/reasoning.h"

#include <gtest/gtest.h>

namespace quern::infer {
namespace {

// Both parts of an answer that comes in pieces of `step` bytes.
AnswerPiece joined(std::string_view text, bool reasoning, size_t step, std::string_view prompt = "") {
  ReasoningSplitter splitter(prompt);
  AnswerPiece result{"", reasoning};
  const auto take = [&](const std::vector<AnswerPiece>& pieces) {
    for (const AnswerPiece& piece : pieces) {
      if (piece.is_reasoning == reasoning) result.text += piece.text;
    }
  };
  for (size_t at = 0; at < text.size(); at += step) take(splitter.push(text.substr(at, step)));
  take(splitter.finish());
  return result;
}

void expect(std::string_view text, std::string_view reasoning, std::string_view answer,
            std::string_view prompt = "") {
  for (const size_t step : {size_t{1}, size_t{2}, size_t{5}, text.size()}) {
    EXPECT_EQ(joined(text, true, step, prompt).text, reasoning) << text << ", by " << step;
    EXPECT_EQ(joined(text, false, step, prompt).text, answer) << text << ", by " << step;
  }
}

TEST(Reasoning, IsWhatStandsBetweenTheTagsAtTheStart) {
  expect("<think>\nhm\n</think>\n\nYes.", "\nhm\n", "Yes.");
  expect("\n <think></think>Yes.", "", "Yes.");
  expect("[THINK]a[/THINK]b", "a", "b");
  expect("Yes.", "", "Yes.");
  expect("  Yes.", "", "  Yes.");
  expect("a <think>b</think>", "", "a <think>b</think>");
  expect("<thinker>x", "", "<thinker>x");
  expect("<think>a</thinking></think>b</think>", "a</thinking>", "b</think>");
}

TEST(Reasoning, MayBeOpenedByThePrompt) {
  expect("hm</think>\nYes.", "hm", "Yes.", "<|assistant|><think>\n");
  expect("Yes.", "", "Yes.", "<think>\n\n</think>\n\n");
}

TEST(Reasoning, ThatNeverEndsIsNoAnswer) {
  expect("<think>a < b </th", "a < b </th", "");
  expect("<thi", "", "<thi");
  expect("<think>a</think>\n", "a", "");
}

TEST(Reasoning, ShowsWhatIsCertain) {
  ReasoningSplitter splitter("");
  EXPECT_TRUE(splitter.push("<thi").empty());
  const auto pieces = splitter.push("nk>one two</t");
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0].text, "one two");
  EXPECT_TRUE(pieces[0].is_reasoning);
}

}  // namespace
}  // namespace quern::infer
