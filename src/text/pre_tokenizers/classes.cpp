// Pre-tokenizers that look at the class of each character: BertPreTokenizer, Digits, FixedLength, Punctuation,
// UnicodeScripts, Whitespace, WhitespaceSplit.
#include <array>

#include "text/pre_tokenizers/factories.h"
#include "text/reference_sets.h"

namespace quern::text {

namespace {
// What becomes of a character: dropped, a piece of its own, or part of a run of its kind (numbers from kRun on).
constexpr int kDropped = 0, kAlone = 1, kRun = 2;

// Appends the runs and single characters of text[range] by the kind of each character.
template <class KindOf>
void lex_by_kind(std::string_view text, Span range, std::vector<Span>& pieces, const KindOf& kind_of) {
  static const std::array<int8_t, 128> ascii = [&] {
    std::array<int8_t, 128> kinds{};
    for (char32_t cp = 0; cp < 128; ++cp) kinds[cp] = static_cast<int8_t>(kind_of(cp));
    return kinds;
  }();
  int previous = kDropped;
  for (uint32_t at = range.begin; at < range.end;) {
    const auto lead = static_cast<uint8_t>(text[at]);
    const Decoded step = lead < 0x80 ? Decoded{lead, 1, true} : decode_utf8(text.substr(at));
    const int kind = lead < 0x80 ? ascii[lead] : kind_of(step.code_point);
    if (kind >= kRun && kind == previous) {
      pieces.back().end = at + step.length;
    } else if (kind != kDropped) {
      pieces.push_back({at, at + step.length});
    }
    previous = kind;
    at += step.length;
  }
}

void lex_bert(std::string_view text, Span range, std::vector<Span>& pieces) {
  lex_by_kind(text, range, pieces, [](char32_t cp) {
    if (is_space(cp)) return kDropped;
    return is_punctuation(cp) ? kAlone : kRun;
  });
}

void lex_numbers(std::string_view text, Span range, std::vector<Span>& pieces) {
  lex_by_kind(text, range, pieces, [](char32_t cp) { return classes_of(cp) & kNumber ? kAlone : kDropped; });
}

void lex_punctuation(std::string_view text, Span range, std::vector<Span>& pieces) {
  lex_by_kind(text, range, pieces, [](char32_t cp) { return is_punctuation(cp) ? kAlone : kDropped; });
}

// \w+|[^\w\s]+
void lex_words(std::string_view text, Span range, std::vector<Span>& pieces) {
  lex_by_kind(text, range, pieces, [](char32_t cp) {
    const uint16_t classes = classes_of(cp);
    if (classes & kWord) return kRun;
    return classes & kSpace ? kDropped : kRun + 1;
  });
}

void lex_visible(std::string_view text, Span range, std::vector<Span>& pieces) {
  lex_by_kind(text, range, pieces, [](char32_t cp) { return is_space(cp) ? kDropped : kRun; });
}

// Kana and Han are written together.
int grouped_script_of(char32_t cp) {
  static const int han = script_of(0x4E00), hiragana = script_of(0x3042), katakana = script_of(0x30A2);
  if (cp == ' ') return kAnyScript;
  const int script = script_of(cp);
  return script == hiragana || script == katakana || cp == 0x30FC ? han : script;
}

// What stands before the first character of a script of its own belongs to no piece.
void lex_scripts(std::string_view text, Span range, std::vector<Span>& pieces) {
  int last = kAnyScript;
  for (uint32_t at = range.begin; at < range.end;) {
    const Decoded step = decode_utf8(text.substr(at));
    const int script = grouped_script_of(step.code_point);
    if (script != kAnyScript && script != last) {
      pieces.push_back({at, range.end});
      last = script;
    } else if (last == kAnyScript) {
      at += step.length;
      continue;
    }
    pieces.back().end = at += step.length;
  }
}

class FixedLengthPreTokenizer : public PreTokenizer {
 public:
  explicit FixedLengthPreTokenizer(uint32_t length) : length_(length) {}

  void apply(Segment& segment) const override {
    std::vector<Span> pieces;
    for (const Span piece : segment.pieces()) {
      uint32_t count = 0;
      for (uint32_t at = piece.begin; at < piece.end; ++count) {
        if (count % length_ == 0) pieces.push_back({at, at});
        at += decode_utf8(segment.text().substr(at)).length;
        pieces.back().end = at;
      }
    }
    segment.set_pieces(std::move(pieces));
  }

 private:
  uint32_t length_;
};

Result<void> add(Lexer lexer, PreTokenizers& out) {
  out.steps.push_back(make_lexing(lexer));
  return {};
}
}  // namespace

Result<void> add_bert(const Fields&, PreTokenizers& out) { return add(lex_bert, out); }
Result<void> add_unicode_scripts(const Fields&, PreTokenizers& out) { return add(lex_scripts, out); }
Result<void> add_whitespace(const Fields&, PreTokenizers& out) { return add(lex_words, out); }
Result<void> add_whitespace_split(const Fields&, PreTokenizers& out) { return add(lex_visible, out); }

Result<void> add_digits(const Fields& fields, PreTokenizers& out) {
  QUERN_TRY(const bool individual, fields.flag("individual_digits", false));
  const auto behavior = individual ? SplitBehavior::isolated : SplitBehavior::contiguous;
  out.steps.push_back(make_splitting(Splitter(lex_numbers, behavior, false)));
  return {};
}

Result<void> add_punctuation(const Fields& fields, PreTokenizers& out) {
  auto behavior = SplitBehavior::isolated;
  if (fields.has("behavior")) {
    QUERN_TRY(behavior, read_split_behavior(fields));
  }
  out.steps.push_back(make_splitting(Splitter(lex_punctuation, behavior, false)));
  return {};
}

Result<void> add_fixed_length(const Fields& fields, PreTokenizers& out) {
  uint32_t length = 5;
  if (fields.has("length")) {
    QUERN_TRY(length, fields.count("length", UINT32_MAX));
    if (length == 0) return fields.wrong("length", "at least 1");
  }
  out.steps.push_back(std::make_unique<FixedLengthPreTokenizer>(length));
  return {};
}

}  // namespace quern::text
