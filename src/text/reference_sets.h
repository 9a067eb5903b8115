// Sets of characters as the components of Hugging Face tokenizers know them, each by the Unicode version of a
// library of its own. Where they differ from unicode.h, a generated table says so. All functions are thread-safe.
// Precondition of all: a valid code point.
#pragma once

#include "text/unicode.h"

namespace quern::text {

// What BertNormalizer drops: control, format and private characters other than tab and newlines, U+FFFD.
bool is_bert_control(char32_t code_point);
// What BertNormalizer drops after decomposition: non-spacing marks.
bool is_bert_accent(char32_t code_point);
// What StripAccents drops: marks.
bool is_combining_mark(char32_t code_point);
// What BertPreTokenizer and Punctuation split at: \p{P} and the symbols of ASCII.
bool is_punctuation(char32_t code_point);

// A number for the script of a character, as UnicodeScripts groups them; kAnyScript joins every script.
inline constexpr int kAnyScript = 0;
int script_of(char32_t code_point);

}  // namespace quern::text
