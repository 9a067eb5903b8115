#include "text/lexer.h"

#include <algorithm>
#include <array>

#include "text/unicode.h"

// The comments name the alternatives of the expression that a block of code stands for. Notation: L letters,
// N numbers, M marks, S white space.
namespace quern::text {

namespace {
constexpr uint16_t kLetterOrNumber = kLetter | kNumber;

struct Char {
  uint16_t classes = 0;
  uint32_t length = 0;  // 0 at the end of the text
  bool is(uint16_t mask) const { return classes & mask; }
};

// Random access to the characters of valid UTF-8 text.
class Cursor {
 public:
  Cursor(std::string_view text, uint32_t end)
      : data_(text.data()), end_(end), table_(detail::category_table()) {}

  uint32_t end() const { return end_; }
  // The byte at p as a character; 0 past the end.
  char byte(uint32_t p) const { return p < end_ ? data_[p] : '\0'; }

  Char at(uint32_t p) const {
    if (p >= end_) return {};
    const auto lead = static_cast<uint8_t>(data_[p]);
    if (lead < 0x80) return {detail::kClassOfAscii[lead], 1};
    const auto next = [&](uint32_t i) { return static_cast<uint8_t>(data_[p + i]) & 0x3Fu; };
    if (lead < 0xE0) return wide((lead & 0x1Fu) << 6 | next(1), 2);
    if (lead < 0xF0) return wide((lead & 0x0Fu) << 12 | next(1) << 6 | next(2), 3);
    return wide((lead & 0x07u) << 18 | next(1) << 12 | next(2) << 6 | next(3), 4);
  }

  // First position from p on whose character has no class of `mask` (skip) or has one (skip_other).
  uint32_t skip(uint32_t p, uint16_t mask) const { return skip_while<true>(p, mask); }
  uint32_t skip_other(uint32_t p, uint16_t mask) const { return skip_while<false>(p, mask); }

 private:
  template <bool kHas>
  uint32_t skip_while(uint32_t p, uint16_t mask) const {
    while (p < end_) {
      const auto lead = static_cast<uint8_t>(data_[p]);
      const Char c = lead < 0x80 ? Char{detail::kClassOfAscii[lead], 1} : at(p);
      if (c.is(mask) != kHas) break;
      p += c.length;
    }
    return p;
  }

  Char wide(uint32_t code_point, uint32_t length) const {
    return {detail::kClassOfCategory[table_.at(code_point)], length};
  }
  const char* data_;
  uint32_t end_;
  const detail::CategoryTable& table_;
};

bool is_newline(char c) { return c == '\n' || c == '\r'; }

// 's|'t|'re|'ve|'m|'ll|'d at p: its end, or p. Without regard to case, U+017F is a form of s.
template <bool kIgnoreCase>
uint32_t skip_contraction(const Cursor& text, uint32_t p) {
  if (text.byte(p) != '\'') return p;
  const auto letter = [&](uint32_t i) {
    const char c = text.byte(p + i);
    return kIgnoreCase && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  };
  switch (letter(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return p + 2;
    case 'r':
    case 'v':
      return letter(2) == 'e' ? p + 3 : p;
    case 'l':
      return letter(2) == 'l' ? p + 3 : p;
    case '\xC5':
      return kIgnoreCase && text.byte(p + 2) == '\xBF' ? p + 3 : p;
    default:
      return p;
  }
}

// \s*[\r\n]+ (when kNewlines) | \s+(?!\S) | \s+ at p, where a white-space character stands. With kEndFirst,
// white space that ends the text is one piece before newlines are looked at: \s++$ stands first.
template <bool kNewlines, bool kEndFirst>
uint32_t skip_space(const Cursor& text, uint32_t p) {
  uint32_t end = p, last = p, newline = p;
  for (Char c = text.at(end); c.length != 0 && c.is(kSpace); c = text.at(end)) {
    last = end;
    end += c.length;
    if (is_newline(text.byte(last))) newline = end;
  }
  if (kEndFirst && end == text.end()) return end;
  if (kNewlines && newline > p) return newline;
  return end == text.end() || last == p ? end : last;
}

// ' ?[^\s\p{L}\p{N}]+' and the tail that may follow it; p when it does not match. `outside`: what ends the
// run.
uint32_t skip_symbols(const Cursor& text, uint32_t p, uint16_t outside) {
  const uint32_t first = text.byte(p) == ' ' ? p + 1 : p;
  const uint32_t end = text.skip_other(first, outside);
  return end > first ? end : p;
}

uint32_t skip_newlines(const Cursor& text, uint32_t p, bool slashes) {
  while (is_newline(text.byte(p)) || (slashes && text.byte(p) == '/')) ++p;
  return p;
}

template <uint32_t kMost>
uint32_t skip_digits(const Cursor& text, uint32_t p) {
  for (uint32_t i = 0; i < kMost; ++i) {
    const Char c = text.at(p);
    if (!c.is(kNumber)) break;
    p += c.length;
  }
  return p;
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
struct Gpt2 {
  static uint32_t next(const Cursor& text, uint32_t p) {
    if (const uint32_t end = skip_contraction<false>(text, p); end > p) return end;
    const uint32_t first = text.byte(p) == ' ' ? p + 1 : p;
    const Char c = text.at(first);
    if (c.is(kLetter)) return text.skip(first + c.length, kLetter);
    if (c.is(kNumber)) return text.skip(first + c.length, kNumber);
    if (c.length != 0 && !c.is(kSpace)) return text.skip_other(first + c.length, kSpace | kLetterOrNumber);
    return skip_space<false, false>(text, p);
  }
};

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,kDigits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+
// |\s+(?!\S)|\s+, where kWordMask stands for \p{L} or [\p{L}\p{M}].
template <uint32_t kDigits, uint16_t kWordMask = kLetter, bool kEndFirst = false>
struct Llama3 {
  static uint32_t next(const Cursor& text, uint32_t p) {
    if (const uint32_t end = skip_contraction<true>(text, p); end > p) return end;
    const Char c = text.at(p);
    if (c.is(kWordMask)) return text.skip(p + c.length, kWordMask);
    if (c.is(kNumber)) return skip_digits<kDigits>(text, p);
    if (!is_newline(text.byte(p))) {
      const Char after = text.at(p + c.length);
      if (after.is(kWordMask)) return text.skip(p + c.length + after.length, kWordMask);
    }
    if (const uint32_t end = skip_symbols(text, p, kSpace | kNumber | kWordMask); end > p) {
      return skip_newlines(text, end, false);
    }
    return skip_space<true, kEndFirst>(text, p);
  }
};

// [^\r\n\p{L}\p{N}]?U*W+C?|[^\r\n\p{L}\p{N}]?U+W*C?|\p{N}{1,kDigits}|
// ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+ with U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], W =
// [\p{Ll}\p{Lm}\p{Lo}\p{M}] and C the contractions, if any.
template <uint32_t kDigits, bool kContractions>
struct Gpt4o {
  static constexpr uint16_t kBoth = kUncased | kMark;
  static constexpr uint16_t kU = kUpper | kBoth;
  static constexpr uint16_t kW = kLower | kBoth;

  // U*W+ at p: its end, or p. When no W follows the greedy U*, the match shrinks to the last character in
  // both.
  static uint32_t skip_lower_word(const Cursor& text, uint32_t p) {
    uint32_t end = p, after_both = p;
    for (Char c = text.at(end); c.is(kU); c = text.at(end)) {
      end += c.length;
      if (c.is(kBoth)) after_both = end;
    }
    return text.at(end).is(kW) ? text.skip(end, kW) : after_both;
  }

  static uint32_t skip_word(const Cursor& text, uint32_t p) {
    const Char c = text.at(p);
    const bool has_prefix = !is_newline(text.byte(p)) && !c.is(kLetterOrNumber);
    const uint32_t after = p + c.length;
    if (has_prefix) {
      if (const uint32_t end = skip_lower_word(text, after); end > after) return end;
    }
    if (const uint32_t end = skip_lower_word(text, p); end > p) return end;
    // U+W*: no W can follow here, or the first alternative had matched.
    const uint32_t first = has_prefix ? after : p;
    const uint32_t end = text.skip(first, kU);
    return end > first ? end : p;
  }

  static uint32_t next(const Cursor& text, uint32_t p) {
    if (const uint32_t end = skip_word(text, p); end > p) {
      return kContractions ? skip_contraction<true>(text, end) : end;
    }
    if (const uint32_t end = skip_digits<kDigits>(text, p); end > p) return end;
    if (const uint32_t end = skip_symbols(text, p, kSpace | kLetterOrNumber); end > p) {
      return skip_newlines(text, end, true);
    }
    return skip_space<true, false>(text, p);
  }
};

template <class Grammar>
void lex(std::string_view text, Span range, std::vector<Span>& pieces) {
  const Cursor cursor(text, range.end);
  for (uint32_t p = range.begin; p < range.end;) {
    const uint32_t end = Grammar::next(cursor, p);
    pieces.push_back({p, end});
    p = end;
  }
}

struct Row {
  std::string_view pattern;
  Lexer lexer;
};

// The published spellings: the first of each family as tokenizer.json files have it, then as tiktoken writes
// it.
constexpr std::array kRows = {
    Row{R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", lex<Gpt2>},
    Row{R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
        lex<Llama3<3>>},
    Row{R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
        lex<Llama3<1>>},
    Row{R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
        lex<Gpt4o<3, true>>},
    // r50k (GPT-2) and cl100k (GPT-4), with possessive quantifiers; but {1,3}+ in Oniguruma's syntax, which
    // files mean, repeats the group and takes any number of digits.
    Row{R"('(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s)", lex<Gpt2>},
    Row{R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", lex<Gpt2>},
    Row{R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s)",
        lex<Llama3<UINT32_MAX, kLetter, true>>},
    Row{R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s)",
        lex<Llama3<3, kLetter, true>>},
    Row{R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
        lex<Llama3<3>>},
    // nanochat
    Row{R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
        lex<Llama3<2>>},
    // Qwen3.5: marks belong to words
    Row{R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
        lex<Llama3<1, kLetter | kMark>>},
    // Tekken (Mistral Nemo)
    Row{R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
        lex<Gpt4o<1, false>>},
};
}  // namespace

const std::string_view kGpt2Pattern = kRows[0].pattern;
const std::string_view kLlama3Pattern = kRows[1].pattern;
const std::string_view kQwen2Pattern = kRows[2].pattern;
const std::string_view kGpt4oPattern = kRows[3].pattern;

Lexer find_lexer(std::string_view pattern) {
  for (const Row& row : kRows) {
    if (row.pattern == pattern) return row.lexer;
  }
  return nullptr;
}

std::vector<std::string_view> known_patterns() {
  std::vector<std::string_view> patterns(kRows.size());
  std::transform(kRows.begin(), kRows.end(), patterns.begin(), [](const Row& row) { return row.pattern; });
  return patterns;
}

}  // namespace quern::text
