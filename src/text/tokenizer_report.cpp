#include "text/tokenizer_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "text/unicode.h"

namespace quern::text {

namespace {
double ratio(int64_t a, int64_t b) { return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b); }

void count_characters(std::string_view text, TokenizerStats& stats) {
  bool in_word = false;
  while (!text.empty()) {
    const Decoded step = decode_utf8(text);
    text.remove_prefix(step.length);
    ++stats.characters;
    stats.replacements += !step.valid;
    const bool was_in_word = in_word;
    in_word = !is_space(step.code_point);
    stats.words += in_word && !was_in_word;
  }
}

// Width on a terminal, near enough: code points that are no marks.
size_t display_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const Decoded step = decode_utf8(text);
    width += !(classes_of(step.code_point) & kMark);
    text.remove_prefix(step.length);
  }
  return width;
}

std::string quoted(std::string_view text) { return fmt::format("{:?}", text); }
}  // namespace

double TokenizerStats::tokens_per_word() const { return ratio(tokens, words); }
double TokenizerStats::bytes_per_token() const { return ratio(bytes, tokens); }
double TokenizerStats::characters_per_token() const { return ratio(characters, tokens); }
double TokenizerStats::coverage() const { return ratio(used, vocabulary); }

TokenizerStats measure(const Tokenizer& tokenizer, std::span<const std::string_view> texts) {
  TokenizerStats stats;
  stats.texts = static_cast<int64_t>(texts.size());
  stats.vocabulary = tokenizer.vocab_size();
  std::vector<bool> used(static_cast<size_t>(stats.vocabulary), false);
  const std::optional<TokenId> unk = tokenizer.special_ids().unk;
  for (const std::string_view text : texts) {
    stats.bytes += static_cast<int64_t>(text.size());
    count_characters(text, stats);
  }
  for (const std::vector<TokenId>& ids : tokenizer.encode_batch(texts, {.add_special_tokens = false})) {
    stats.tokens += static_cast<int64_t>(ids.size());
    for (const TokenId id : ids) {
      used[static_cast<size_t>(id)] = true;
      stats.unknown += id == unk;
    }
  }
  stats.used = std::count(used.begin(), used.end(), true);
  return stats;
}

std::string render_splits(const Tokenizer& tokenizer, std::string_view input) {
  const std::string text = repair_utf8(input).text;
  const std::vector<Span> pieces = tokenizer.split(text);
  const std::vector<TokenSpan> tokens = tokenizer.encode_with_spans(text, {.add_special_tokens = false});
  const auto piece_text = [&](Span piece) {
    return quoted(std::string_view(text).substr(piece.begin, piece.end - piece.begin));
  };
  constexpr size_t kWidest = 32;
  size_t column = 0;
  for (const Span piece : pieces)
    column = std::max(column, std::min(kWidest, display_width(piece_text(piece))));
  std::string out;
  size_t next = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const std::string shown = piece_text(pieces[i]);
    out += shown + std::string(column - std::min(column, display_width(shown)) + 2, ' ');
    std::string_view separator;
    // Tokens belong to the piece that reaches as far as they do.
    for (; next < tokens.size() && (i + 1 == pieces.size() || tokens[next].span.end <= pieces[i].end);
         ++next) {
      out += fmt::format("{}{} {}", separator, tokenizer.id_to_token(tokens[next].id).value_or(""),
                         tokens[next].id);
      separator = ", ";
    }
    out += '\n';
  }
  return out;
}

}  // namespace quern::text
