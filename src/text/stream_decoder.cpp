#include "text/stream_decoder.h"

#include <algorithm>

#include "text/unicode.h"

namespace quern::text {

std::string StreamDecoder::push(TokenId id) {
  if (const std::optional<std::string> bytes = tokenizer_.token_bytes(id)) {
    if (options_.skip_special_tokens && tokenizer_.is_special(id)) return {};
    bytes_ += *bytes;
    const size_t ready = bytes_.size() - incomplete_utf8_suffix(bytes_);
    std::string text = repair_utf8(std::string_view(bytes_).substr(0, ready)).text;
    bytes_.erase(0, ready);
    return text;
  }
  fresh_.push_back(id);
  std::string text = held_back();
  // A replacement character at the end may turn into the character that the next byte completes.
  if (text.empty() || text.ends_with(kReplacementUtf8)) return {};
  shown_ = std::move(fresh_);
  fresh_.clear();
  return text;
}

std::string StreamDecoder::held_back() const {
  std::vector<TokenId> ids = shown_;
  ids.insert(ids.end(), fresh_.begin(), fresh_.end());
  const size_t before = tokenizer_.decode(shown_, options_).size();
  const std::string text = tokenizer_.decode(ids, options_);
  return text.substr(std::min(before, text.size()));
}

std::string StreamDecoder::finish() {
  std::string text = repair_utf8(bytes_).text;
  if (!fresh_.empty()) text += held_back();
  bytes_.clear();
  shown_.clear();
  fresh_.clear();
  return text;
}

}  // namespace quern::text
