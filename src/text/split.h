// Splitting text at the matches of a pattern, with the five behaviours of tokenizer.json.
#pragma once

#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "text/lexer.h"
#include "text/regex.h"

namespace quern::text {

// What becomes of a match: dropped, a piece of its own, glued to a neighbour, or matches in a row as one
// piece.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };
// By its name in the file: "Removed", "MergedWithNext", ...
std::optional<SplitBehavior> split_behavior_of(std::string_view name);

// A Lexer that matches single \p{N} characters; it leaves gaps, unlike those of lexer.h.
void lex_numbers(std::string_view text, Span range, std::vector<Span>& matches);

class Splitter {
 public:
  // `invert`: what the pattern does not match is the match.
  Splitter(std::variant<Lexer, Regex> pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  // Appends the non-empty pieces of text[range].
  void split(std::string_view text, Span range, std::vector<Span>& pieces) const;

 private:
  void find(std::string_view text, Span range, std::vector<Span>& matches) const;
  std::variant<Lexer, Regex> pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

}  // namespace quern::text
