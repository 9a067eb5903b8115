// Hand-written splitters for the pre-tokenization patterns of published models. Each does exactly what its
// regular expression does (a property test compares them with PCRE2), without backtracking and in one pass.
#pragma once

#include <string_view>
#include <vector>

#include "text/segment.h"

namespace quern::text {

// Appends to `pieces` the pieces of the part of `text` given by `range`. Precondition: valid UTF-8.
using Lexer = void (*)(std::string_view text, Span range, std::vector<Span>& pieces);

// The pattern built into the ByteLevel pre-tokenizer.
extern const std::string_view kGpt2Pattern;
extern const std::string_view kLlama3Pattern;
extern const std::string_view kQwen2Pattern;
extern const std::string_view kGpt4oPattern;

// The splitter for exactly this regular expression, or nullptr when it is not one of the known spellings.
Lexer find_lexer(std::string_view pattern);

// All known spellings, for tests.
std::vector<std::string_view> known_patterns();

}  // namespace quern::text
