#include "data/utf8_repair.h"

#include <simdjson.h>

namespace quern::data {

namespace {

// Length of the sequence at the front of `text` (not empty), and whether it is valid. An invalid one is as
// long as the bytes that could still have begun a valid one, at least 1.
struct Sequence {
  size_t length;
  bool valid;
};

Sequence scan(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte also excludes overlong forms, surrogates and values past U+10FFFF (Unicode table 3-7).
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < length; ++i) {
    if (i >= text.size()) return {i, false};
    if (byte(i) < (i == 1 ? low : 0x80) || byte(i) > (i == 1 ? high : 0xBF)) return {i, false};
  }
  return {length, true};
}

}  // namespace

size_t find_invalid_utf8(std::string_view text) {
  if (simdjson::validate_utf8(text.data(), text.size())) return std::string_view::npos;
  size_t at = 0;
  while (at < text.size()) {
    const Sequence sequence = scan(text.substr(at));
    if (!sequence.valid) return at;
    at += sequence.length;
  }
  return std::string_view::npos;
}

int64_t repair_utf8(std::string& text) {
  size_t at = find_invalid_utf8(text);
  if (at == std::string_view::npos) return 0;
  std::string repaired(text, 0, at);
  int64_t replaced = 0;
  while (at < text.size()) {
    const Sequence sequence = scan(std::string_view(text).substr(at));
    if (sequence.valid)
      repaired.append(text, at, sequence.length);
    else
      repaired += "\xEF\xBF\xBD", ++replaced;
    at += sequence.length;
  }
  text = std::move(repaired);
  return replaced;
}

}  // namespace quern::data
