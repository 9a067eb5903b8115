// A conversation with a model, in the form of its chat template.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "infer/completion.h"
#include "infer/loaded_model.h"
#include "infer/reasoning.h"

namespace quern::infer {

struct ChatOptions {
  CompletionOptions completion = {};
  int64_t context = 0;                // tokens; 0: as many as the model has positions
  std::string system = {};            // what the model is told before the conversation
  nlohmann::ordered_json tools = {};  // as ChatRequest::tools
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();  // as ChatRequest::variables
  // When the context is full, exchanges (a question and its answer) are forgotten, whole, the oldest first;
  // but not these first ones, and never the system prompt.
  int64_t keep = 1;
};

// What was forgotten to make room.
struct Forgotten {
  int64_t exchanges = 0;
  int64_t tokens_before = 0, tokens_after = 0;  // of the prompt
};

struct ChatAnswer {
  std::string text;
  std::string reasoning;  // what the model thought aloud before
  Completion completion;  // of both, with their tags
  Forgotten forgotten;
};

// Gets each piece of an answer as soon as it is certain; returns false to stop.
using AnswerReceiver = std::function<bool(const AnswerPiece&)>;

// Keeps the messages and the session that holds them: a turn computes only what is new. `loaded` must outlive
// it. Not thread-safe.
class Chat {
 public:
  // unsupported when the model has no chat template, or one that refuses a conversation.
  static Result<Chat> create(const LoadedModel& loaded, ChatOptions options);

  // Says `message` and streams the answer. On an error the message is taken back: invalid_argument, with the
  // numbers, when it does not fit the context even after what could be forgotten; those of
  // ChatTemplates::render.
  Result<ChatAnswer> say(const std::string& message, const AnswerReceiver& receive);
  // Answers the last message once more, with the next stream of random numbers. not_found when nothing was
  // said.
  Result<ChatAnswer> retry(const AnswerReceiver& receive);
  // Takes the last message and its answer back; false when there is none.
  bool undo();
  // Forgets all but the system prompt.
  void reset();

  // The conversation as a list of {"role", "content"}, the system prompt first; what the assistant thought
  // aloud is in "reasoning_content", which templates read, or leave out.
  nlohmann::ordered_json messages() const { return with_system(turns_); }
  // Replaces the conversation. invalid_argument for anything but a list of messages.
  Result<void> set_messages(const nlohmann::ordered_json& messages);

  ChatOptions& options() { return options_; }
  int64_t context() const { return session_.context(); }

 private:
  Chat(const LoadedModel& loaded, ChatOptions options);
  nlohmann::ordered_json with_system(const nlohmann::ordered_json& turns) const;
  struct Prompt {
    std::string text;
    std::vector<int32_t> tokens;
  };
  Result<Prompt> prompt(const nlohmann::ordered_json& turns) const;
  Result<Forgotten> make_room();
  Result<ChatAnswer> answer(const AnswerReceiver& receive);

  const LoadedModel& loaded_;
  ChatOptions options_;
  Session session_;
  nlohmann::ordered_json turns_ = nlohmann::ordered_json::array();  // without the system prompt
};

}  // namespace quern::infer
