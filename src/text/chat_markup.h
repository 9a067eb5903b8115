// How a conversation becomes one document of text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern::text {

struct ChatTurn {
  std::string role;  // "system", "user" or "assistant"
  std::string content;
};

// The markers of the project's own chat form, which the tokenizer learns as special tokens:
//   <|user|>What colour is a lemon?<|assistant|>Yellow.<|end|><|user|>...
struct ChatMarkup {
  std::string system = "<|system|>";
  std::string user = "<|user|>";
  std::string assistant = "<|assistant|>";
  std::string end = "<|end|>";  // closes what the assistant says

  std::vector<std::string> special_tokens() const { return {system, user, assistant, end}; }
  // The document of these turns; invalid_argument for another role. With `prompt` it ends with the
  // assistant's marker, ready for the model to answer.
  Result<std::string> render(const std::vector<ChatTurn>& turns, bool prompt = false) const;
};

}  // namespace quern::text
