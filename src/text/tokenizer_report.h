// What a tokenizer makes of given texts: the figures and the picture behind `quern tokenizer info`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "text/tokenizer.h"

namespace quern::text {

// Counts over texts, encoded without added special tokens. Ratios are 0 when there is nothing to divide by.
struct TokenizerStats {
  int64_t texts = 0;
  int64_t bytes = 0;
  int64_t characters = 0;  // code points
  int64_t words = 0;       // runs of characters that are not white space
  int64_t tokens = 0;
  int64_t unknown = 0;       // tokens that are <unk>
  int64_t replacements = 0;  // U+FFFD read in place of bytes that are not UTF-8
  int64_t used = 0;          // different tokens that occur
  int64_t vocabulary = 0;    // tokens there are

  double tokens_per_word() const;
  double bytes_per_token() const;
  double characters_per_token() const;
  double coverage() const;  // used / vocabulary
};

// On all threads; the result does not depend on how many.
TokenizerStats measure(const Tokenizer& tokenizer, std::span<const std::string_view> texts);

// The text with its pieces and tokens made visible, one piece a line: the piece, then its tokens with their
// ids.
//
//     "Hello"   Hello 9906
//     " wörld"  Ġw 289, Ã¶ 3029, rld 1410
//
// Tokens are written as the file writes them. Ill-formed UTF-8 is shown as U+FFFD.
std::string render_splits(const Tokenizer& tokenizer, std::string_view text);

}  // namespace quern::text
