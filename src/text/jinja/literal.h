// String and number literals of templates.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/failure.h"
#include "text/jinja/value.h"

namespace quern::text::jinja {

// What a string literal says, given what stands between its quotes: the escapes of Python. Throws Failure at
// `at` for an escape that is broken or names a character ("\N{...}").
std::string unescape(std::string_view body, Position at);

struct NumberLiteral {
  size_t length = 0;  // bytes of source; 0 when there is no number
  Value value;
};
// The number at the start of `source`: 12, 1_000, 0x1F, 1.5, 2e-3. With `after_dot` only an integer
// (x.1.2). Throws Failure at `at` for an integer past 64 bits.
NumberLiteral scan_number(std::string_view source, bool after_dot, Position at);

// int(text, base) and float(text) of Python; nullopt when the text is no number. Bases 2 to 36, or 0 for the
// one the prefix says.
std::optional<int64_t> parse_integer(std::string_view text, int base);
std::optional<double> parse_real(std::string_view text);

}  // namespace quern::text::jinja
