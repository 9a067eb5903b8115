#include "infer/completion.h"

#include <gtest/gtest.h>

#include "text/unicode.h"
#include "unit/infer/scripted_model.h"

namespace quern::infer {
namespace {

CompletionOptions until(std::vector<std::string> stop) {
  CompletionOptions options;
  options.stop = std::move(stop);
  return options;
}

CompletionOptions at_most(int64_t max_tokens, bool ignore_eos = false) {
  CompletionOptions options;
  options.max_tokens = max_tokens;
  options.ignore_eos = ignore_eos;
  return options;
}

// A model that says `text`, one byte per token, and then its end token.
class Speaker {
 public:
  explicit Speaker(const std::string& text, size_t room = 4) : tokenizer_(byte_tokenizer()) {
    std::vector<int32_t> script = tokenizer_.encode(text);
    script.insert(script.end(), room, *tokenizer_.special_ids().eos);
    model_.emplace(scripted_model(script, tokenizer_.vocab_size()));
    session_.emplace(*model_, 0);
  }

  Completion say(CompletionOptions options = {}, const std::function<bool(std::string_view)>& receive = {}) {
    options.sampling.temperature = 0.0;
    options.end_tokens = {*tokenizer_.special_ids().eos};
    const std::vector<int32_t> prompt = tokenizer_.encode("a");
    return complete(*session_, tokenizer_, prompt, options, receive).value();
  }

 private:
  text::Tokenizer tokenizer_;
  std::optional<model::Decoder> model_;
  std::optional<Session> session_;
};

// A role of tokenizer_config.json alone puts no token before a prompt: GPT-2 names <|endoftext|> as its
// beginning, and transformers starts without it.
TEST(EncodePrompt, FollowsTheTokenizerAndNeedsABeginningOnlyForNothing) {
  const text::Tokenizer plain = byte_tokenizer(false);
  EXPECT_TRUE(encode_prompt(plain, "").empty());
  const auto gpt2 = text::Tokenizer::from_json(plain.to_json(), R"({"bos_token": "<|endoftext|>"})").value();
  EXPECT_EQ(encode_prompt(gpt2, "ab"), plain.encode("ab"));
  EXPECT_EQ(encode_prompt(gpt2, ""), std::vector<int32_t>{0});
  EXPECT_EQ(encode_prompt(gpt2, "<|endoftext|>"), std::vector<int32_t>{0});
  EXPECT_EQ(encode_prompt(gpt2, "<|endoftext|>", false).size(), 13u);
}

TEST(Complete, EndsAtTheModelsEndTokenWithoutShowingIt) {
  Speaker speaker("hello");
  const Completion completion = speaker.say();
  EXPECT_EQ(completion.text, "hello");
  EXPECT_EQ(completion.tokens.size(), 5u);
  EXPECT_EQ(completion.finish, FinishReason::stop);
  EXPECT_EQ(completion.prompt_tokens, 1);
}

TEST(Complete, IgnoresTheEndTokenWhenToldTo) {
  Speaker speaker("hello");
  const Completion completion = speaker.say(at_most(7, true));
  EXPECT_EQ(completion.text, "hello<|endoftext|><|endoftext|>");
  EXPECT_EQ(completion.finish, FinishReason::length);
}

// A model of BART's says <s> before every answer, because its settings tell it to.
TEST(Complete, DoesNotShowATokenThatHadToComeFirst) {
  Speaker speaker("xhello");
  CompletionOptions options;
  options.rules.forced_first = byte_tokenizer().encode("x").front();
  const Completion completion = speaker.say(options);
  EXPECT_EQ(completion.text, "hello");
  EXPECT_EQ(completion.tokens.size(), 6u);
  options.rules.forced_first = byte_tokenizer().encode("h").front();  // once
  EXPECT_EQ(Speaker("hhello").say(options).text, "hello");
}

TEST(Complete, StopStringsWorkAcrossTokens) {
  Speaker speaker("one two STOP three");
  std::string heard;
  const Completion completion = speaker.say(until({"nothing", " STOP"}), [&](std::string_view piece) {
    heard += piece;
    return true;
  });
  EXPECT_EQ(completion.text, "one two");
  EXPECT_EQ(heard, "one two");
  EXPECT_EQ(completion.finish, FinishReason::stop);
}

TEST(Complete, WhatOnlyBeginsLikeAStopStringIsShown) {
  Speaker speaker("one STO");
  std::string heard;
  const Completion completion = speaker.say(until({"STOP"}), [&](std::string_view piece) {
    heard += piece;
    return true;
  });
  EXPECT_EQ(completion.text, "one STO");
  EXPECT_EQ(heard, "one STO");
}

TEST(Complete, PiecesAreWholeCharacters) {
  const std::string text = "é水🙂 ok";
  Speaker speaker(text);
  std::string heard;
  const Completion completion = speaker.say({}, [&](std::string_view piece) {
    EXPECT_TRUE(text::valid_utf8_prefix(piece) == piece.size()) << piece;
    heard += piece;
    return true;
  });
  EXPECT_EQ(completion.text, text);
  EXPECT_EQ(heard, text);
}

TEST(Complete, AStopStringMayEndInsideACharacterOfManyTokens) {
  Speaker speaker("wait🙂no");
  EXPECT_EQ(speaker.say(until({"🙂"})).text, "wait");
}

TEST(Complete, ACharacterCutByTheLengthBecomesAReplacement) {
  Speaker speaker("a🙂");
  const Completion completion = speaker.say(at_most(3));
  EXPECT_EQ(completion.text, "a\xef\xbf\xbd");
  EXPECT_EQ(completion.finish, FinishReason::length);
}

TEST(Complete, TheReceiverCancels) {
  Speaker speaker("hello");
  std::string heard;
  const Completion completion = speaker.say({}, [&](std::string_view piece) {
    heard += piece;
    return heard.size() < 2;
  });
  EXPECT_EQ(completion.finish, FinishReason::cancelled);
  EXPECT_EQ(heard, "he");
  EXPECT_EQ(completion.text, "he");
}

// Also while nothing can be shown (an open stop string, half a character): Ctrl-C works.
TEST(Complete, TheReceiverIsAskedAfterEveryToken) {
  Speaker speaker("hello world");
  int calls = 0;
  const Completion completion =
      speaker.say(until({"hello world!"}), [&](std::string_view) { return ++calls < 3; });
  EXPECT_EQ(completion.finish, FinishReason::cancelled);
  EXPECT_EQ(completion.tokens.size(), 3u);
  EXPECT_EQ(completion.text, "hel");  // what was held back is not lost
}

TEST(Complete, TheErrorsOfASessionComeThrough) {
  const text::Tokenizer tokenizer = byte_tokenizer();
  const model::Decoder model = scripted_model({7, 7, 7}, tokenizer.vocab_size());
  Session session(model, 0);
  EXPECT_EQ(complete(session, tokenizer, {}, {}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(complete(session, tokenizer, std::vector<int32_t>{1, 2, 3, 4}, {}).error().code,
            ErrorCode::invalid_argument);
}

TEST(Complete, SameSeedSameText) {
  const text::Tokenizer tokenizer = byte_tokenizer();
  model::ModelConfig config = model::find_family("gpt2").value()->defaults();
  config.vocab_size = tokenizer.vocab_size();
  config.layers = 1;
  config.heads = 2;
  config.hidden = 16;
  config.max_positions = 64;
  const model::Decoder model = model::Decoder::create(config, 5).value();
  Session session(model, 0);
  const auto text = [&](uint64_t seed, uint64_t stream) {
    CompletionOptions options = at_most(30);
    options.stream = stream;
    options.sampling.seed = seed;
    return complete(session, tokenizer, tokenizer.encode("ab"), options).value().text;
  };
  EXPECT_EQ(text(1, 0), text(1, 0));
  EXPECT_NE(text(1, 0), text(2, 0));
  EXPECT_NE(text(1, 0), text(1, 1));
}

}  // namespace
}  // namespace quern::infer
