#include "recipes/tokenizer_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/recipes/tiny_recipe.h"

namespace quern::recipes {
namespace {

using testing::HasSubstr;

class TokenizerTrainingTest : public testing::Test {
 protected:
  Result<TrainedTokenizer> train(std::string_view text,
                                 const std::function<void(TokenizerConfig&)>& change = {}) {
    write(folder_ / "input.txt", text);
    TokenizerConfig config;
    config.inputs = {(folder_ / "input.txt").string()};
    config.vocab_size = 280;
    if (change) change(config);
    return train_tokenizer(config, folder_ / "out", null_progress());
  }
  test::TempDir folder_;
};

std::string repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

// What is learnt is what the text between special tokens teaches, as if they were not there.
TEST_F(TokenizerTrainingTest, SpecialTokensInTheTextAreNotLearnt) {
  const text::Tokenizer with =
      train(repeat("<|user|>lemon tea<|assistant|>yes<|end|><|endoftext|>", 50), [](TokenizerConfig& c) {
        c.chat = true;
      })->tokenizer;
  for (int64_t id = 0; id < with.vocab_size(); ++id) {
    const std::string token = *with.id_to_token(static_cast<int32_t>(id));
    if (with.is_special(static_cast<int32_t>(id)) || token.size() == 1) continue;
    for (const char* part : {"<|", "|>", "user", "endof", "assist"})
      EXPECT_THAT(token, testing::Not(HasSubstr(part)));
  }
  EXPECT_TRUE(with.token_to_id("lemon"));
  EXPECT_TRUE(with.token_to_id("yes"));
  EXPECT_FALSE(with.token_to_id("teayes"));  // nothing is learnt across one
  EXPECT_EQ(with.encode("<|user|>").size(), 1u);
}

TEST_F(TokenizerTrainingTest, TextsAroundSpecialTokensAllCount) {
  const auto merges = [](const text::Tokenizer& tokenizer) {
    std::vector<std::string> tokens;
    for (int64_t id = 257; id < tokenizer.vocab_size(); ++id)
      tokens.push_back(*tokenizer.id_to_token(static_cast<int32_t>(id)));
    return tokens;
  };
  const std::string a = repeat("abc ", 20), b = repeat("xyz ", 30);
  EXPECT_EQ(
      merges(train("<|endoftext|>" + a + "<|endoftext|><|endoftext|>" + b + "<|endoftext|>")->tokenizer),
      merges(train(a + "\n" + b)->tokenizer));
}

TEST_F(TokenizerTrainingTest, TheMarkersOfAChatAreAddedOnce) {
  const auto change = [](TokenizerConfig& c) {
    c.chat = true;
    c.special_tokens = {"<|endoftext|>", "<|user|>"};
  };
  const text::Tokenizer tokenizer = train(tiny_corpus(), change)->tokenizer;
  EXPECT_EQ(tokenizer.token_to_id("<|endoftext|>"), 0);
  EXPECT_EQ(tokenizer.token_to_id("<|user|>"), 1);
  EXPECT_TRUE(tokenizer.token_to_id("<|end|>"));
}

TEST_F(TokenizerTrainingTest, ErrorsSayWhatIsWrong) {
  const Error empty = train("\n\n").error();
  EXPECT_EQ(empty.code, ErrorCode::invalid_argument);
  EXPECT_THAT(empty.message, HasSubstr("empty"));
  const Error only_specials = train("<|endoftext|>").error();
  EXPECT_EQ(only_specials.code, ErrorCode::invalid_argument);
  const Error small = train(tiny_corpus(), [](TokenizerConfig& c) { c.vocab_size = 256; }).error();
  EXPECT_EQ(small.code, ErrorCode::invalid_argument);
  EXPECT_THAT(small.message, HasSubstr("need 257"));
  EXPECT_EQ(train(tiny_corpus(), [](TokenizerConfig& c) { c.inputs = {"absent"}; }).error().code,
            ErrorCode::not_found);
  EXPECT_EQ(train(tiny_corpus(), [](TokenizerConfig& c) { c.special_tokens = {""}; }).error().code,
            ErrorCode::invalid_argument);
  // Errors of the reader, met half-way, are results as well.
  write(folder_ / "broken.jsonl", "{\"text\": \"good\"}\n{\"text\": \n");
  const Error broken =
      train("", [&](TokenizerConfig& c) { c.inputs = {(folder_ / "broken.jsonl").string()}; }).error();
  EXPECT_EQ(broken.code, ErrorCode::corrupt);
  EXPECT_THAT(broken.message, HasSubstr("broken.jsonl:2"));
}

}  // namespace
}  // namespace quern::recipes
