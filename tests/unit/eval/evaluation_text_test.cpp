#include "eval/evaluation_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "unit/infer/scripted_model.h"

namespace quern::eval {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(EvaluationText, SpecialTokensInTheTextAreTextUnlessAsked) {
  const text::Tokenizer tokenizer = infer::byte_tokenizer();
  const EvaluationText plain = evaluation_text(tokenizer, "a<|endoftext|>", false);
  EXPECT_EQ(plain.tokens.size(), 14u);
  EXPECT_FALSE(plain.bos);
  const EvaluationText special = evaluation_text(tokenizer, "a<|endoftext|>", true);
  ASSERT_EQ(special.tokens.size(), 2u);
  EXPECT_EQ(special.spans[1], (text::Span{1, 14}));
}

TEST(EvaluationText, BeginsWithBosWhereTheTokenizerPutsOne) {
  const std::string json =
      R"({"model": {"type": "WordLevel", "vocab": {"<s>": 0, "a": 1, "b": 2}, "unk_token": "a"},
    "added_tokens": [{"id": 0, "content": "<s>", "special": true}],
    "pre_tokenizer": {"type": "WhitespaceSplit"},
    "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
      {"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}}})";
  const auto tokenizer = text::Tokenizer::from_json(json, R"({"bos_token": "<s>"})").value();
  const EvaluationText text = evaluation_text(tokenizer, "a b", false);
  EXPECT_EQ(text.bos, 0);
  EXPECT_THAT(text.tokens, ElementsAre(0, 1, 2));
  EXPECT_EQ(text.spans[0], text::Span());
  EXPECT_EQ(text.spans[2], (text::Span{2, 3}));
}

TEST(EvaluationText, RepairsWhatIsNoUtf8) {
  const EvaluationText text = evaluation_text(infer::byte_tokenizer(), "a\xFF", false);
  EXPECT_EQ(text.text, "a\xEF\xBF\xBD");
  EXPECT_EQ(text.tokens.size(), 4u);
}

TEST(Windows, ChunksScoreTheirSecondHalf) {
  // The two tokens past the second chunk fill none.
  EXPECT_THAT(windows_over(18, {.context = 8}).value(), ElementsAre(Window{0, 5, 8}, Window{8, 13, 16}));
  EXPECT_THAT(windows_over(16, {.context = 8, .chunks = 1}).value(), ElementsAre(Window{0, 5, 8}));
}

TEST(Windows, SlidingOnesScoreEveryTokenButTheFirstOnce) {
  const WindowOptions options{.method = WindowMethod::sliding, .context = 8, .stride = 3};
  EXPECT_THAT(windows_over(13, options).value(),
              ElementsAre(Window{0, 1, 8}, Window{3, 8, 11}, Window{6, 11, 13}));
  EXPECT_THAT(windows_over(5, options).value(), ElementsAre(Window{0, 1, 5}));
}

TEST(Windows, ASlidingWindowNeedsATokenBeforeTheScored) {
  // Side by side, nothing stands before the first token of a window; a last window of one token scores none.
  const WindowOptions options{.method = WindowMethod::sliding, .context = 4, .stride = 4};
  EXPECT_THAT(windows_over(9, options).value(), ElementsAre(Window{0, 1, 4}, Window{4, 5, 8}));
}

TEST(Windows, RefusesWithNumbers) {
  const auto refuses = [](int64_t tokens, const WindowOptions& options, const std::string& message) {
    const auto windows = windows_over(tokens, options);
    ASSERT_FALSE(windows.ok());
    EXPECT_EQ(windows.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(windows.error().message, HasSubstr(message));
  };
  refuses(511, {}, "the text has 511 tokens, but one window takes 512");
  refuses(600, {.stride = 5}, "no meaning for chunks");
  refuses(600, {.method = WindowMethod::sliding, .stride = 513}, "from 1 to the context (512), got 513");
  refuses(1, {.method = WindowMethod::sliding}, "the text has 1 tokens");
  refuses(9, {.context = 3}, "at least 4");
}

TEST(Windows, AChunkIsShownWithBosFirst) {
  EvaluationText text;
  text.tokens = {9, 1, 2, 3, 4, 5, 6, 7};
  const Window second{4, 7, 8};
  EXPECT_THAT(shown_tokens(text, second, WindowMethod::chunks), ElementsAre(4, 5, 6, 7));
  text.bos = 9;
  EXPECT_THAT(shown_tokens(text, second, WindowMethod::chunks), ElementsAre(9, 5, 6, 7));
  EXPECT_THAT(shown_tokens(text, second, WindowMethod::sliding), ElementsAre(4, 5, 6, 7));
}

}  // namespace
}  // namespace quern::eval
