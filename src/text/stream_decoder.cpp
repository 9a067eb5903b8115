#include "text/stream_decoder.h"

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
  ids_.push_back(id);
  std::string text = tokenizer_.decode(ids_, options_);
  // A replacement character at the end may turn into the character that the next byte completes.
  if (text.ends_with(kReplacementUtf8) || text.size() <= shown_) return {};
  std::string fresh = text.substr(shown_);
  shown_ = text.size();
  return fresh;
}

std::string StreamDecoder::finish() {
  std::string text = repair_utf8(bytes_).text;
  if (!ids_.empty()) {
    const std::string all = tokenizer_.decode(ids_, options_);
    if (all.size() > shown_) text += all.substr(shown_);
  }
  bytes_.clear();
  ids_.clear();
  shown_ = 0;
  return text;
}

}  // namespace quern::text
