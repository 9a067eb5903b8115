#include "text/added_tokens.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/unicode.h"

namespace quern::text {

namespace {
// Start of the last character of non-empty valid UTF-8.
size_t last_character(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

bool ends_with_word(std::string_view text) {
  return !text.empty() && (classes_of(decode_utf8(text.substr(last_character(text))).code_point) & kWord);
}

bool starts_with_word(std::string_view text) {
  return !text.empty() && (classes_of(decode_utf8(text).code_point) & kWord);
}

size_t trailing_space_begin(std::string_view text) {
  while (!text.empty()) {
    const size_t at = last_character(text);
    if (!is_space(decode_utf8(text.substr(at)).code_point)) break;
    text = text.substr(0, at);
  }
  return text.size();
}

size_t leading_space_length(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const Decoded step = decode_utf8(text.substr(at));
    if (!is_space(step.code_point)) break;
    at += step.length;
  }
  return at;
}
}  // namespace

bool SpecialRules::allows(Span token) const {
  if (!allow) return false;
  const auto next = std::ranges::upper_bound(plain, token.begin, {}, &Span::end);
  return next == plain.end() || next->begin >= token.end;
}

void TokenMatcher::add(std::string text, const AddedToken* token) {
  if (!text.empty()) entries_.push_back({std::move(text), token});
}

void TokenMatcher::build() {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.text < b.text; });
  for (uint32_t i = 0; i < entries_.size(); ++i) {
    Span& span = by_first_byte_[static_cast<uint8_t>(entries_[i].text[0])];
    if (span.begin == span.end) span.begin = i;
    span.end = i + 1;
  }
}

// The longest entry that stands at `at`, found by narrowing the sorted range byte by byte.
const TokenMatcher::Entry* TokenMatcher::match_at(std::string_view text, size_t at) const {
  const Span first = by_first_byte_[static_cast<uint8_t>(text[at])];
  auto low = entries_.begin() + first.begin, high = entries_.begin() + first.end;
  const Entry* longest = nullptr;
  for (size_t depth = 1; low != high; ++depth) {
    // Entries shorter than the depth sort before those that go on.
    for (; low != high && low->text.size() == depth; ++low) longest = &*low;
    if (at + depth >= text.size()) break;
    const auto wanted = static_cast<uint8_t>(text[at + depth]);
    const auto byte = [depth](const Entry& entry) { return static_cast<uint8_t>(entry.text[depth]); };
    low = std::partition_point(low, high, [&](const Entry& entry) { return byte(entry) < wanted; });
    high = std::partition_point(low, high, [&](const Entry& entry) { return byte(entry) == wanted; });
  }
  return longest;
}

void TokenMatcher::scan(std::string_view text, const std::function<bool(Span)>& is_special,
                        const std::function<void(Span, const AddedToken*)>& part) const {
  const auto span = [](size_t begin, size_t end) {
    return Span{static_cast<uint32_t>(begin), static_cast<uint32_t>(end)};
  };
  size_t done = 0;  // parts up to here have been given out
  for (size_t at = 0; at < text.size();) {
    const Span first = by_first_byte_[static_cast<uint8_t>(text[at])];
    const Entry* entry = first.begin == first.end ? nullptr : match_at(text, at);
    if (!entry) {
      ++at;
      continue;
    }
    const AddedToken& token = *entry->token;
    size_t begin = at, end = at + entry->text.size();
    at = end;
    if (token.special && !is_special(span(begin, end))) continue;
    if (token.single_word && (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end))))
      continue;
    if (token.lstrip) begin = std::max(trailing_space_begin(text.substr(0, begin)), done);
    if (token.rstrip) end += leading_space_length(text.substr(end));
    if (done < begin) part(span(done, begin), nullptr);
    part(span(begin, end), &token);
    done = end;
  }
  if (done < text.size()) part(span(done, text.size()), nullptr);
}

namespace {
Result<AddedToken> read_token(const Json& json) {
  const Fields fields("added_tokens", json);
  AddedToken token;
  QUERN_TRY(token.content, fields.string("content"));
  QUERN_TRY(token.single_word, fields.flag("single_word", false));
  QUERN_TRY(token.lstrip, fields.flag("lstrip", false));
  QUERN_TRY(token.rstrip, fields.flag("rstrip", false));
  QUERN_TRY(token.special, fields.flag("special", false));
  QUERN_TRY(token.normalized, fields.flag("normalized", !token.special));
  return token;
}

std::string normal_form(const std::string& content, const Normalizers& normalizers) {
  Segment segment(content, 0, false);
  for (const auto& normalizer : normalizers) normalizer->apply(segment);
  return std::string(segment.text());
}
}  // namespace

Result<AddedTokens> AddedTokens::load(const Json& list, const Vocabulary& vocabulary,
                                      const Normalizers& normalizers) {
  AddedTokens added;
  if (list.is_null()) return added;
  if (!list.is_array())
    return make_error(ErrorCode::corrupt, "tokenizer.json: 'added_tokens' must be a list");
  auto next = static_cast<TokenId>(vocabulary.size());
  std::unordered_map<std::string, AddedToken*> known;
  for (const Json& item : list) {
    QUERN_TRY(AddedToken token, read_token(item));
    if (token.content.empty()) continue;
    AddedToken*& stored = known[token.content];
    token.id = stored ? stored->id : vocabulary.find_token(token.content);
    if (token.id == kNoToken) token.id = next;
    next = std::max(next, token.id + 1);
    if (!stored) stored = added.tokens_.emplace_back(std::make_unique<AddedToken>()).get();
    *stored = std::move(token);  // listed again: the later flags hold
  }
  for (const auto& token : added.tokens_) {
    added.by_id_[token->id] = token.get();
    added.by_content_[token->content] = token.get();
    token->form = token->normalized ? normal_form(token->content, normalizers) : token->content;
    (token->normalized ? added.normalized_ : added.raw_).add(token->form, token.get());
  }
  added.raw_.build();
  added.normalized_.build();
  return added;
}

const AddedToken* AddedTokens::find(TokenId id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : it->second;
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const auto it = by_content_.find(content);
  return it == by_content_.end() ? nullptr : it->second;
}

size_t AddedTokens::id_end() const {
  TokenId end = 0;
  for (const auto& token : tokens_) end = std::max(end, token->id + 1);
  return static_cast<size_t>(end);
}

}  // namespace quern::text
