// What Python's str does, on UTF-8: characters are code points, and whitespace is what str.isspace() says.
// Functions without a heap take time linear in their text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/unicode.h"

namespace quern::text::jinja {

int64_t count_characters(std::string_view text);
template <class Visit>
void for_each_character(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const size_t length = decode_utf8(text).length;
    visit(text.substr(0, length));
    text.remove_prefix(length);
  }
}
// Offset in bytes of the character `index`; text.size() past the end. Precondition: index >= 0.
size_t offset_of_character(std::string_view text, int64_t index);

// str.isspace() of one character.
bool is_python_space(char32_t character);
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
inline std::string_view strip(std::string_view text) { return strip_left(strip_right(text)); }
// The same with any of the characters of `set`.
std::string_view strip_left(std::string_view text, std::string_view set);
std::string_view strip_right(std::string_view text, std::string_view set);

// Offset of the first `needle` at or after `from`, in linear time; npos when there is none.
size_t find_text(std::string_view text, std::string_view needle, size_t from = 0);
// Offset of the last `needle`.
size_t find_last_text(std::string_view text, std::string_view needle);
// At most `limit` pieces are cut off; no limit when negative. Precondition: !separator.empty().
std::vector<std::string_view> split_at(std::string_view text, std::string_view separator, int64_t limit);
std::vector<std::string_view> split_at_from_right(std::string_view text, std::string_view separator,
                                                  int64_t limit);
// Words between runs of whitespace.
std::vector<std::string_view> split_words(std::string_view text, int64_t limit);
std::vector<std::string_view> split_words_from_right(std::string_view text, int64_t limit);
// Lines, as str.splitlines() finds them; with their ends when `keep_ends`.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

// Full case mappings (Unicode 16.0), with the final sigma.
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
std::string to_casefold(std::string_view text);
// First character in title case, the rest lower.
std::string capitalize(std::string_view text);
// str.title(): every run of letters capitalized.
std::string title_case(std::string_view text);
std::string swap_case(std::string_view text);

// str.isdigit() and its kin by name ("isdigit", "isalpha", ...); nullopt for another name.
std::optional<bool> classify(std::string_view text, std::string_view method);

// The text as a Python literal: 'it' with the quotes and escapes of repr().
std::string quoted_text(std::string_view text);

}  // namespace quern::text::jinja
