#include "text/byte_alphabet.h"

#include "text/unicode.h"

namespace quern::text {

namespace {
constexpr bool is_printable(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::array<char32_t, 256> make_alphabet() {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    alphabet[static_cast<size_t>(byte)] = is_printable(byte) ? static_cast<char32_t>(byte) : next++;
  }
  return alphabet;
}

constexpr std::array<char32_t, 256> kAlphabet = make_alphabet();
constexpr size_t kEnd = 0x144;

// Byte of each character below kEnd, or -1.
constexpr std::array<int16_t, kEnd> make_bytes() {
  std::array<int16_t, kEnd> bytes{};
  for (int16_t& byte : bytes) byte = -1;
  for (size_t byte = 0; byte < 256; ++byte) bytes[kAlphabet[byte]] = static_cast<int16_t>(byte);
  return bytes;
}
constexpr std::array<int16_t, kEnd> kBytes = make_bytes();
}  // namespace

const std::array<char32_t, 256>& byte_alphabet() { return kAlphabet; }

std::string to_byte_characters(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) append_utf8(text, kAlphabet[static_cast<uint8_t>(c)]);
  return text;
}

std::optional<std::string> from_byte_characters(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    // The alphabet has characters of one and two bytes only.
    size_t code_point = static_cast<uint8_t>(text[at]);
    if (code_point >= 0x80) {
      if (code_point < 0xC2 || code_point > 0xC5 || at + 1 == text.size()) return std::nullopt;
      const auto second = static_cast<uint8_t>(text[++at]);
      if ((second & 0xC0) != 0x80) return std::nullopt;
      code_point = (code_point & 0x1F) << 6 | (second & 0x3F);
    }
    if (code_point >= kEnd || kBytes[code_point] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kBytes[code_point]));
  }
  return bytes;
}

}  // namespace quern::text
