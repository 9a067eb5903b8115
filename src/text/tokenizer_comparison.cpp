#include "text/tokenizer_comparison.h"

#include <algorithm>
#include <chrono>

#include "text/unicode.h"

namespace quern::text {

namespace {
constexpr EncodeOptions kBare = {.add_special_tokens = false, .allow_special = true};
constexpr size_t kShownIds = 8;

using Ids = std::vector<TokenId>;

double encode_all(const Tokenizer& tokenizer, std::span<const std::string_view> texts,
                  std::vector<Ids>& out) {
  const auto start = std::chrono::steady_clock::now();
  size_t bytes = 0;
  for (const std::string_view text : texts) {
    out.push_back(tokenizer.encode(text, kBare));
    bytes += text.size();
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return seconds > 0 ? static_cast<double>(bytes) / 1e6 / seconds : 0;
}

// Pairs of tokens that cover the same bytes and are spelled alike.
int64_t count_equal(const Tokenizer& a, const Tokenizer& b, std::string_view text) {
  const std::vector<TokenSpan> left = a.encode_with_spans(text, kBare),
                               right = b.encode_with_spans(text, kBare);
  int64_t equal = 0;
  for (size_t i = 0, j = 0; i < left.size() && j < right.size();) {
    if (left[i].span == right[j].span) {
      equal += a.id_to_token(left[i].id) == b.id_to_token(right[j].id);
      ++i, ++j;
    } else if (left[i].span.end <= right[j].span.end) {
      ++i;
    } else {
      ++j;
    }
  }
  return equal;
}

Ids shown_from(const Ids& ids, size_t from) {
  const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(std::min(from, ids.size()));
  return Ids(begin, begin + std::min<std::ptrdiff_t>(kShownIds, ids.end() - begin));
}
}  // namespace

TokenizerComparison compare(const Tokenizer& a, const Tokenizer& b, std::span<const std::string_view> texts) {
  TokenizerComparison result;
  const Tokenizer* const tokenizers[2] = {&a, &b};
  std::vector<Ids> ids[2];
  for (size_t side = 0; side < 2; ++side) {
    result.stats[side] = measure(*tokenizers[side], texts);
    result.megabytes_per_second[side] = encode_all(*tokenizers[side], texts, ids[side]);
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string text = repair_utf8(texts[i]).text;
    for (size_t side = 0; side < 2; ++side)
      result.round_trips[side] += tokenizers[side]->decode(ids[side][i]) == text;
    result.equal_tokens += count_equal(a, b, text);
    const Ids &left = ids[0][i], &right = ids[1][i];
    if (left == right) {
      ++result.equal_texts;
    } else if (!result.first) {
      const auto part = std::mismatch(left.begin(), left.end(), right.begin(), right.end()).first;
      const auto at = static_cast<size_t>(part - left.begin());
      result.first = {i, at, {shown_from(left, at), shown_from(right, at)}};
    }
  }
  return result;
}

}  // namespace quern::text
