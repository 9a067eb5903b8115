// Splitting text at the matches of a pattern, with the five behaviours of tokenizer.json.
#pragma once

#include <string_view>
#include <variant>
#include <vector>

#include "text/json_fields.h"
#include "text/lexer.h"
#include "text/regex.h"

namespace quern::text {

// What becomes of a match: dropped, a piece of its own, glued to a neighbour, or matches in a row as one
// piece.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };
// The field "behavior": "Removed", "MergedWithNext", ... Errors: corrupt.
Result<SplitBehavior> read_split_behavior(const Fields& fields);

class Splitter {
 public:
  // A Lexer here may leave gaps, unlike those of lexer.h: its pieces are the matches. `invert`: what the
  // pattern does not match is the match.
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
