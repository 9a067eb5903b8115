#include "infer/encoder_text.h"

#include <algorithm>
#include <utility>

#include "text/unicode.h"

namespace quern::infer {

namespace {

using Tokens = std::vector<EncoderToken>;

Tokens tokens_of(const text::Tokenizer& tokenizer, const std::string& text, int8_t part) {
  Tokens tokens;
  for (const text::TokenSpan& token : tokenizer.encode_with_spans(text, {.add_special_tokens = false}))
    tokens.push_back({.id = token.id, .part = part, .span = token.span});
  return tokens;
}

// Where the ids of `part` lie in `all` from `begin` on: at the first place, or the last.
size_t find(const Tokens& all, const Tokens& part, size_t begin, bool last) {
  const auto same = [](const EncoderToken& a, const EncoderToken& b) { return a.id == b.id; };
  const auto from = all.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto at = last ? std::find_end(from, all.end(), part.begin(), part.end(), same)
                       : std::search(from, all.end(), part.begin(), part.end(), same);
  return static_cast<size_t>(at - all.begin());
}

Tokens slice(const Tokens& tokens, size_t begin, size_t end) {
  begin = std::min(begin, tokens.size());
  end = std::clamp(end, begin, tokens.size());
  return {tokens.begin() + static_cast<std::ptrdiff_t>(begin),
          tokens.begin() + static_cast<std::ptrdiff_t>(end)};
}

}  // namespace

EncoderText::EncoderText(const text::Tokenizer& tokenizer, std::string_view first,
                         const std::optional<std::string_view>& second)
    : texts_{text::repair_utf8(first).text, text::repair_utf8(second.value_or("")).text},
      pair_(second.has_value()) {
  parts_[0] = tokens_of(tokenizer, texts_[0], 0);
  Tokens all;
  if (pair_) {
    parts_[1] = tokens_of(tokenizer, texts_[1], 1);
    const text::EncodedPair encoded = tokenizer.encode_pair_with_types(texts_[0], texts_[1]);
    for (size_t i = 0; i < encoded.ids.size(); ++i)
      all.push_back({.id = encoded.ids[i], .segment = encoded.type_ids[i]});
  } else {
    for (const int32_t id : tokenizer.encode(texts_[0])) all.push_back({.id = id});
  }
  // The post-processor says what stands around the texts; it is read off what it made of them.
  const size_t at = find(all, parts_[0], 0, false), past = at + parts_[0].size();
  const size_t next = pair_ ? find(all, parts_[1], past, true) : all.size(), end = next + parts_[1].size();
  before_ = slice(all, 0, at);
  if (pair_) between_ = slice(all, past, next);
  after_ = slice(all, pair_ ? end : past, all.size());
  for (size_t i = 0; i < parts_[0].size(); ++i) parts_[0][i].segment = all[at + i].segment;
  for (size_t i = 0; i < parts_[1].size(); ++i) parts_[1][i].segment = all[next + i].segment;
}

Tokens EncoderText::join(int64_t first_end, int64_t begin, int64_t end) const {
  Tokens tokens = before_;
  const auto add = [&](const Tokens& more) { tokens.insert(tokens.end(), more.begin(), more.end()); };
  const int last = pair_ ? 1 : 0;
  if (pair_) {
    add(slice(parts_[0], 0, static_cast<size_t>(first_end)));
    add(between_);
  }
  add(slice(parts_[last], static_cast<size_t>(begin), static_cast<size_t>(end)));
  add(after_);
  return tokens;
}

Tokens EncoderText::tokens() const { return join(size(0), 0, size(pair_ ? 1 : 0)); }

Tokens EncoderText::window(int64_t begin, int64_t end) const { return join(size(0), begin, end); }

Tokens EncoderText::truncated(int64_t limit) const {
  int64_t first = size(0), second = size(1), excess = size() - limit;
  for (; excess > 0 && first + second > 0; --excess) --(first > second ? first : second);
  return join(first, 0, pair_ ? second : first);
}

}  // namespace quern::infer
