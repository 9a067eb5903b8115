#include "text/split.h"

#include <algorithm>

namespace quern::text {

namespace {
struct SplitPart {
  Span span;
  bool is_match;
};

// The matches and what lies between them, covering the range.
std::vector<SplitPart> cover(const std::vector<Span>& matches, Span range, bool invert) {
  std::vector<SplitPart> parts;
  parts.reserve(matches.size() * 2 + 1);
  uint32_t at = range.begin;
  for (const Span match : matches) {
    if (match.begin > at) parts.push_back({{at, match.begin}, invert});
    parts.push_back({match, !invert});
    at = match.end;
  }
  if (at < range.end) parts.push_back({{at, range.end}, invert});
  return parts;
}

// A match joins the part before it, unless that one is a match too.
void merge_with_previous(const std::vector<SplitPart>& parts, std::vector<Span>& pieces) {
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0 && parts[i].is_match && !parts[i - 1].is_match) {
      pieces.back().end = parts[i].span.end;
    } else {
      pieces.push_back(parts[i].span);
    }
  }
}

void merge_with_next(const std::vector<SplitPart>& parts, std::vector<Span>& pieces) {
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0 && parts[i - 1].is_match && !parts[i].is_match) {
      pieces.back().end = parts[i].span.end;
    } else {
      pieces.push_back(parts[i].span);
    }
  }
}

void merge_alike(const std::vector<SplitPart>& parts, std::vector<Span>& pieces) {
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0 && parts[i].is_match == parts[i - 1].is_match) {
      pieces.back().end = parts[i].span.end;
    } else {
      pieces.push_back(parts[i].span);
    }
  }
}
}  // namespace

Result<SplitBehavior> read_split_behavior(const Fields& fields) {
  QUERN_TRY(const std::string name, fields.string("behavior"));
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  return fields.wrong("behavior", "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

void Splitter::find(std::string_view text, Span range, std::vector<Span>& matches) const {
  if (const Lexer* lexer = std::get_if<Lexer>(&pattern_)) {
    (*lexer)(text, range, matches);
  } else {
    std::get<Regex>(pattern_).for_each(text, range, [&](Span match) { matches.push_back(match); });
  }
}

void Splitter::split(std::string_view text, Span range, std::vector<Span>& pieces) const {
  if (range.begin == range.end) return;
  std::vector<Span> matches;
  find(text, range, matches);
  const std::vector<SplitPart> parts = cover(matches, range, invert_);
  switch (behavior_) {
    case SplitBehavior::removed:
      for (const SplitPart& part : parts) {
        if (!part.is_match) pieces.push_back(part.span);
      }
      break;
    case SplitBehavior::isolated:
      for (const SplitPart& part : parts) pieces.push_back(part.span);
      break;
    case SplitBehavior::merged_with_previous:
      return merge_with_previous(parts, pieces);
    case SplitBehavior::merged_with_next:
      return merge_with_next(parts, pieces);
    case SplitBehavior::contiguous:
      return merge_alike(parts, pieces);
  }
}

}  // namespace quern::text
