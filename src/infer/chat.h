// A conversation with a model, in the chat form its tokenizer was trained with.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "infer/completion.h"
#include "infer/loaded_model.h"
#include "text/chat_markup.h"

namespace quern::infer {

// Keeps the turns and the session that holds them. `loaded` must outlive it. Not thread-safe.
class Chat {
 public:
  // unsupported when the tokenizer lacks the markers of a chat.
  static Result<Chat> create(const LoadedModel& loaded, CompletionOptions options, int64_t context,
                             std::string system);

  // Says `message` and streams the answer. On an error, and when the conversation no longer fits the context
  // (invalid_argument), the turn is taken back.
  Result<Completion> say(const std::string& message, const std::function<bool(std::string_view)>& receive);
  // Forgets all turns but the system prompt.
  void reset();
  const std::vector<text::ChatTurn>& turns() const { return turns_; }
  CompletionOptions& options() { return options_; }
  int64_t context() const { return session_.context(); }

 private:
  Chat(const LoadedModel& loaded, CompletionOptions options, int64_t context, std::string system);

  const LoadedModel& loaded_;
  text::ChatMarkup markup_;
  CompletionOptions options_;
  std::string system_;
  Session session_;
  std::vector<text::ChatTurn> turns_;
};

}  // namespace quern::infer
