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
  std::string held_back() const;

  std::string bytes_;  // byte-level decoders: the start of a character
  // Others look at neighbours: the text of new ids is what they add to that of the ids shown last.
  std::vector<TokenId> shown_, fresh_;
};

}  // namespace quern::text
