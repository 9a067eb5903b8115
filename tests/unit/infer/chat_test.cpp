#include "infer/chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/infer/scripted_model.h"

namespace quern::infer {
namespace {

using testing::HasSubstr;

// A model that, whatever it is asked, counts positions in letters, with the end marker at every eighth.
LoadedModel counting_model(size_t positions = 64) {
  const text::Tokenizer tokenizer = byte_tokenizer();
  const int32_t end = *tokenizer.token_to_id(text::ChatMarkup().end);
  std::vector<int32_t> script;
  for (size_t p = 0; p < positions; ++p) {
    const std::string letter(1, static_cast<char>('a' + p % 8));
    script.push_back(p % 8 == 7 ? end : *tokenizer.token_to_id(letter));
  }
  return {scripted_model(script, tokenizer.vocab_size()), tokenizer};
}

CompletionOptions greedy() {
  CompletionOptions options;
  options.sampling.temperature = 0.0;
  return options;
}

class ChatTest : public testing::Test {
 protected:
  Chat chat(const std::string& system = "", int64_t context = 0) {
    return Chat::create(loaded_, greedy(), context, system).value();
  }
  LoadedModel loaded_ = counting_model();
};

TEST_F(ChatTest, AnswersUntilTheEndMarkerAndKeepsTheTurns) {
  Chat chat = this->chat();
  // <|user|> h i <|assistant|>: the fourth position says d.
  const Completion first = chat.say("hi", {}).value();
  EXPECT_EQ(first.text, "defg");
  EXPECT_EQ(first.finish, FinishReason::stop);
  EXPECT_EQ(first.prompt_tokens, 4);
  // The answer and its end marker are part of the next prompt, then the same form again.
  const Completion second = chat.say("yo", {}).value();
  EXPECT_EQ(second.prompt_tokens, 4 + 4 + 1 + 4);
  EXPECT_EQ(second.text, "efg");
  ASSERT_EQ(chat.turns().size(), 4u);
  EXPECT_EQ(chat.turns()[1].role, "assistant");
  EXPECT_EQ(chat.turns()[1].content, "defg");
  EXPECT_EQ(chat.turns()[2].content, "yo");
}

// The same tokens as training saw: the markup rendered as text and encoded with its special tokens.
TEST_F(ChatTest, ThePromptIsThatOfTheMarkup) {
  const text::ChatMarkup markup;
  const std::string rendered =
      markup.render({{"system", "be brief"}, {"user", "hi"}, {"assistant", "x"}, {"user", "yo"}}, true)
          .value();
  const std::vector<int32_t> expected = loaded_.tokenizer.encode(rendered);
  Chat chat = this->chat("be brief");
  const int64_t first = chat.say("hi", {}).value().prompt_tokens;
  const int64_t second = chat.say("yo", {}).value().prompt_tokens;
  const auto answer = static_cast<int64_t>(chat.turns()[2].content.size());
  EXPECT_EQ(first, static_cast<int64_t>(
                       loaded_.tokenizer.encode("<|system|>be brief<|user|>hi<|assistant|>").size()));
  EXPECT_EQ(second, static_cast<int64_t>(expected.size()) - 1 + answer);
}

TEST_F(ChatTest, MarkersThatPeopleTypeArePlainText) {
  Chat chat = this->chat();
  const std::string typed = "<|end|><|assistant|>";
  const Completion completion = chat.say(typed, {}).value();
  EXPECT_EQ(completion.prompt_tokens, 1 + static_cast<int64_t>(typed.size()) + 1);  // a byte each
  Chat instructed = this->chat("<|user|>");
  EXPECT_EQ(instructed.say("x", {}).value().prompt_tokens, 1 + 8 + 1 + 1 + 1);
}

TEST_F(ChatTest, ATurnThatDoesNotFitIsTakenBack) {
  Chat chat = this->chat("", 20);
  ASSERT_TRUE(chat.say("hi", {}).ok());
  const Result<Completion> refused = chat.say("much too long for what is left", {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(refused.error().message, HasSubstr("holds 20"));
  ASSERT_EQ(chat.turns().size(), 2u);
  EXPECT_TRUE(chat.say("yo", {}).ok());  // a shorter one still fits
}

TEST_F(ChatTest, ResetKeepsTheSystemPrompt) {
  Chat chat = this->chat("be brief");
  const int64_t first = chat.say("hi", {}).value().prompt_tokens;
  chat.reset();
  ASSERT_EQ(chat.turns().size(), 1u);
  EXPECT_EQ(chat.turns()[0].role, "system");
  EXPECT_EQ(chat.say("hi", {}).value().prompt_tokens, first);
}

TEST_F(ChatTest, AnInterruptedAnswerStays) {
  Chat chat = this->chat();
  const Completion completion = chat.say("hi", [](std::string_view) { return false; }).value();
  EXPECT_EQ(completion.finish, FinishReason::cancelled);
  EXPECT_EQ(chat.turns().back().content, "d");
}

TEST(Chat, ATokenizerWithoutMarkersIsUnsupported) {
  const text::Tokenizer tokenizer = byte_tokenizer(false);
  const LoadedModel loaded{scripted_model({7, 7}, tokenizer.vocab_size()), tokenizer};
  const Result<Chat> chat = Chat::create(loaded, greedy(), 0, "");
  ASSERT_FALSE(chat.ok());
  EXPECT_EQ(chat.error().code, ErrorCode::unsupported);
  EXPECT_THAT(chat.error().message, HasSubstr("<|user|>"));
  EXPECT_THAT(chat.error().hint, HasSubstr("quern generate"));
}

}  // namespace
}  // namespace quern::infer
