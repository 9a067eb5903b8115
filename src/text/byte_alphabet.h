// The printable alphabet of byte-level tokenizers (GPT-2): every byte has a character that JSON and people
// can read. Vocabularies are stored in it; the encoder and decoder work on the bytes themselves.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace quern::text {

// The character of each byte: itself for printable Latin-1, U+0100 and on for the other 68 in order.
const std::array<char32_t, 256>& byte_alphabet();

// "the" -> "the", " a" -> "Ġa".
std::string to_byte_characters(std::string_view bytes);
// The reverse; nothing when a character is outside the alphabet.
std::optional<std::string> from_byte_characters(std::string_view text);

}  // namespace quern::text
