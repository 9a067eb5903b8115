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
  const int32_t end = *tokenizer.token_to_id("<|end|>");
  std::vector<int32_t> script;
  for (size_t p = 0; p < positions; ++p) {
    const std::string letter(1, static_cast<char>('a' + p % 8));
    script.push_back(p % 8 == 7 ? end : *tokenizer.token_to_id(letter));
  }
  return {{.tokenizer = tokenizer, .templates = text::own_chat_form(), .end_tokens = {end}},
          scripted_model(script, tokenizer.vocab_size())};
}

class ChatTest : public testing::Test {
 protected:
  Chat chat(const std::string& system = "", int64_t context = 0, int64_t keep = 1) {
    ChatOptions options{.context = context, .system = system, .keep = keep};
    options.completion.sampling.temperature = 0.0;
    return Chat::create(loaded_, options).value();
  }
  static Completion say(Chat& chat, const std::string& message) {
    return chat.say(message, {}).value().completion;
  }
  LoadedModel loaded_ = counting_model();
};

TEST_F(ChatTest, AnswersUntilTheEndMarkerAndKeepsTheTurns) {
  Chat chat = this->chat();
  // <|user|> h i <|assistant|>: the fourth position says d.
  const Completion first = say(chat, "hi");
  EXPECT_EQ(first.text, "defg");
  EXPECT_EQ(first.finish, FinishReason::stop);
  EXPECT_EQ(first.prompt_tokens, 4);
  // The answer and its end marker are part of the next prompt, then the same form again.
  const Completion second = say(chat, "yo");
  EXPECT_EQ(second.prompt_tokens, 4 + 4 + 1 + 4);
  EXPECT_EQ(second.text, "efg");
  ASSERT_EQ(chat.messages().size(), 4u);
  EXPECT_EQ(chat.messages()[1]["role"], "assistant");
  EXPECT_EQ(chat.messages()[1]["content"], "defg");
  EXPECT_EQ(chat.messages()[2]["content"], "yo");
}

// The same tokens as training saw: the template rendered as text and encoded with its special tokens.
TEST_F(ChatTest, ThePromptIsThatOfTheTemplate) {
  Chat chat = this->chat("be brief");
  EXPECT_EQ(
      say(chat, "hi").prompt_tokens,
      static_cast<int64_t>(loaded_.tokenizer.encode("<|system|>be brief<|user|>hi<|assistant|>").size()));
  const std::string before = chat.messages()[2]["content"];
  EXPECT_EQ(say(chat, "yo").prompt_tokens,
            static_cast<int64_t>(loaded_.tokenizer
                                     .encode("<|system|>be brief<|user|>hi<|assistant|>" + before +
                                             "<|end|><|user|>yo<|assistant|>")
                                     .size()));
}

TEST_F(ChatTest, MarkersThatPeopleTypeArePlainText) {
  Chat chat = this->chat();
  const std::string typed = "<|end|><|assistant|>";
  EXPECT_EQ(say(chat, typed).prompt_tokens, 1 + static_cast<int64_t>(typed.size()) + 1);  // a byte each
  Chat instructed = this->chat("<|user|>");
  EXPECT_EQ(say(instructed, "x").prompt_tokens, 1 + 8 + 1 + 1 + 1);
}

TEST_F(ChatTest, TheOldestExchangesMakeRoom) {
  Chat chat = this->chat("S", 40, 0);
  std::vector<ChatAnswer> answers;
  for (const char* message : {"one", "two", "three", "four", "five", "six"}) {
    answers.push_back(chat.say(message, {}).value());
    EXPECT_LE(answers.back().completion.prompt_tokens, 40);
    EXPECT_EQ(answers.back().completion.prompt_tokens, answers.back().forgotten.tokens_after);
  }
  const auto forgot = [](const ChatAnswer& a) { return a.forgotten.exchanges > 0; };
  const auto first = std::ranges::find_if(answers, forgot);
  ASSERT_NE(first, answers.end());
  EXPECT_GT(first->forgotten.tokens_before + 10, 40);
  EXPECT_LE(first->forgotten.tokens_after, 20);
  // The system prompt stays, whole exchanges follow, the newest among them.
  const nlohmann::ordered_json messages = chat.messages();
  EXPECT_EQ(messages[0]["content"], "S");
  EXPECT_EQ(messages[1]["role"], "user");
  EXPECT_NE(messages[1]["content"], "one");
  EXPECT_EQ(messages[messages.size() - 2]["content"], "six");
}

TEST_F(ChatTest, TheFirstExchangesStay) {
  Chat chat = this->chat("", 40, 1);
  for (const char* message : {"one", "two", "three", "four", "five", "six"})
    ASSERT_TRUE(chat.say(message, {}));
  EXPECT_EQ(chat.messages()[0]["content"], "one");
  EXPECT_NE(chat.messages()[2]["content"], "two");
}

TEST_F(ChatTest, AMessageThatCannotFitIsTakenBack) {
  Chat chat = this->chat("", 20);
  ASSERT_TRUE(chat.say("hi", {}).ok());
  const nlohmann::ordered_json before = chat.messages();
  const Result<ChatAnswer> refused = chat.say("much too long for what is left", {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(refused.error().message, HasSubstr("holds 20"));
  EXPECT_EQ(chat.messages(), before);
  EXPECT_TRUE(chat.say("yo", {}).ok());  // a shorter one still fits
}

TEST_F(ChatTest, ResetKeepsTheSystemPrompt) {
  Chat chat = this->chat("be brief");
  const int64_t first = say(chat, "hi").prompt_tokens;
  chat.reset();
  ASSERT_EQ(chat.messages().size(), 1u);
  EXPECT_EQ(chat.messages()[0]["role"], "system");
  EXPECT_EQ(say(chat, "hi").prompt_tokens, first);
}

TEST_F(ChatTest, UndoAndRetry) {
  Chat chat = this->chat("S");
  EXPECT_FALSE(chat.undo());
  EXPECT_EQ(chat.retry({}).error().code, ErrorCode::not_found);
  const std::string first = say(chat, "hi").text;
  say(chat, "yo");
  EXPECT_TRUE(chat.undo());
  EXPECT_EQ(chat.messages().size(), 3u);
  EXPECT_EQ(chat.retry({}).value().completion.text, first);
  EXPECT_EQ(chat.messages().size(), 3u);
  EXPECT_EQ(chat.options().completion.stream, 1u);  // sampling draws other numbers
  EXPECT_TRUE(chat.undo());
  EXPECT_FALSE(chat.undo());
}

TEST_F(ChatTest, AConversationComesBack) {
  Chat chat = this->chat("be brief");
  say(chat, "hi");
  const nlohmann::ordered_json saved = chat.messages();
  Chat other = this->chat();
  ASSERT_TRUE(other.set_messages(saved).ok());
  EXPECT_EQ(other.messages(), saved);
  EXPECT_EQ(say(other, "yo").text, say(chat, "yo").text);
  EXPECT_FALSE(other.set_messages({{{"role", 1}}}).ok());
  EXPECT_FALSE(other.set_messages("text").ok());
}

TEST_F(ChatTest, AnInterruptedAnswerStays) {
  Chat chat = this->chat();
  const ChatAnswer answer = chat.say("hi", [](const AnswerPiece&) { return false; }).value();
  EXPECT_EQ(answer.completion.finish, FinishReason::cancelled);
  EXPECT_EQ(chat.messages().back()["content"], "d");
}

TEST(Chat, AModelWithoutATemplateIsUnsupported) {
  const text::Tokenizer tokenizer = byte_tokenizer(false);
  const LoadedModel loaded{{.tokenizer = tokenizer}, scripted_model({7, 7}, tokenizer.vocab_size())};
  const Result<Chat> chat = Chat::create(loaded, {});
  ASSERT_FALSE(chat.ok());
  EXPECT_EQ(chat.error().code, ErrorCode::unsupported);
  EXPECT_THAT(chat.error().message, HasSubstr("no chat template"));
  EXPECT_THAT(chat.error().hint, HasSubstr("quern generate"));
}

}  // namespace
}  // namespace quern::infer
