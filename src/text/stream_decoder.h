// Decoding token by token, for streaming: never shows half a character.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace quern::text {

// What push() and finish() give, joined, is tokenizer.decode() of all the ids. One stream per object; not
// thread-safe.
class StreamDecoder {
 public:
  explicit StreamDecoder(Tokenizer tokenizer, DecodeOptions options = {})
      : tokenizer_(std::move(tokenizer)), options_(options) {}

  // The text that is certain after this token; may be empty while a character is incomplete.
  std::string push(TokenId id);
  // What is still held back, incomplete characters as U+FFFD. The stream can then start anew.
  std::string finish();

 private:
  Tokenizer tokenizer_;
  DecodeOptions options_;
  std::string bytes_;         // byte-level decoders: the start of a character
  std::vector<TokenId> ids_;  // others: all ids so far, because a decoder may look at them all
  size_t shown_ = 0;          // bytes of their text that were given out
};

}  // namespace quern::text
