#include "text/jinja/literal.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "text/jinja/python_text.h"
#include "text/unicode.h"

namespace quern::text::jinja {

namespace {

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

int digit_value(char c) {
  if (is_ascii_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'z' ? lower - 'a' + 10 : 99;
}

// "\n" and its like; 0 for another character.
char simple_escape(char c) {
  constexpr std::string_view kNames = "abfnrtv\\'\"";
  constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\'\"";
  const size_t found = kNames.find(c);
  return found == kNames.npos ? '\0' : kValues[found];
}

int hex_digits_of(char c) { return c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0; }

// Length of digits of `base` with single underscores between them, from `from` on; 0 when there are none.
size_t scan_digits(std::string_view source, size_t from, int base) {
  size_t at = from;
  while (at < source.size()) {
    const size_t digit = source[at] == '_' && at > from ? at + 1 : at;
    if (digit >= source.size() || digit_value(source[digit]) >= base) break;
    at = digit + 1;
  }
  return at - from;
}

std::string without_underscores(std::string_view text) {
  std::string digits(text);
  std::erase(digits, '_');
  return digits;
}

// Length of the exponent "e+10" at `from`; 0 when there is none.
size_t scan_exponent(std::string_view source, size_t from) {
  if (from >= source.size() || (source[from] | 0x20) != 'e') return 0;
  size_t at = from + 1;
  if (at < source.size() && (source[at] == '+' || source[at] == '-')) ++at;
  const size_t digits = scan_digits(source, at, 10);
  return digits == 0 ? 0 : at + digits - from;
}

size_t scan_real(std::string_view source) {
  size_t at = scan_digits(source, 0, 10);
  if (at == 0) return 0;
  size_t fraction = 0;
  if (at < source.size() && source[at] == '.') {
    fraction = scan_digits(source, at + 1, 10);
    if (fraction > 0) at += 1 + fraction;
  }
  const size_t exponent = scan_exponent(source, at);
  return fraction == 0 && exponent == 0 ? 0 : at + exponent;
}

// Length and base of an integer.
std::pair<size_t, int> scan_integer(std::string_view source) {
  if (source.size() > 1 && source[0] == '0') {
    const char prefix = static_cast<char>(source[1] | 0x20);
    const int base = prefix == 'x' ? 16 : prefix == 'o' ? 8 : prefix == 'b' ? 2 : 0;
    // An underscore may follow the prefix.
    const size_t from = source.size() > 2 && source[2] == '_' ? 3 : 2;
    const size_t digits = base == 0 ? 0 : scan_digits(source, from, base);
    if (digits > 0) return {from + digits, base};
  }
  const bool zero = !source.empty() && source[0] == '0';
  return {scan_digits(source, 0, zero ? 1 : 10), 10};  // zeros only may follow a zero
}

}  // namespace

std::string unescape(std::string_view body, Position at) {
  std::string out;
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\') {
      out += body[i];
      continue;
    }
    const char c = body[++i];  // a literal never ends in a lone backslash
    if (const char simple = simple_escape(c)) {
      out += simple;
    } else if (c == '\n') {  // the line goes on
    } else if (c >= '0' && c <= '7') {
      uint32_t code = 0;
      size_t end = i;
      while (end < body.size() && end < i + 3 && body[end] >= '0' && body[end] <= '7') {
        code = code * 8 + static_cast<uint32_t>(body[end++] - '0');
      }
      append_utf8(out, code);
      i = end - 1;
    } else if (const int digits = hex_digits_of(c)) {
      uint32_t code = 0;
      const std::string_view hex = body.substr(i + 1, static_cast<size_t>(digits));
      const auto parsed = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
      if (hex.size() < static_cast<size_t>(digits) || parsed.ptr != hex.data() + hex.size() ||
          code > 0x10FFFF) {
        fail_at(at, fmt::format("truncated or illegal \\{} escape in a string", c));
      }
      append_utf8(out, code);
      i += static_cast<size_t>(digits);
    } else if (c == 'N') {
      fail_at(at, "escapes that name a character (\\N{...}) are not supported", ErrorCode::unsupported);
    } else {  // Python keeps what it does not know
      out += '\\';
      out += c;
    }
  }
  return out;
}

NumberLiteral scan_number(std::string_view source, bool after_dot, Position at) {
  if (const size_t length = after_dot ? 0 : scan_real(source)) {
    return {length, *parse_real(without_underscores(source.substr(0, length)))};
  }
  const auto [length, base] = scan_integer(source);
  if (length == 0) return {};
  const std::string digits = without_underscores(source.substr(0, length));
  const std::optional<int64_t> value = parse_integer(digits, base == 10 ? 10 : 0);
  if (!value) fail_at(at, fmt::format("the integer {} does not fit 64 bits", digits), ErrorCode::unsupported);
  return {length, *value};
}

std::optional<int64_t> parse_integer(std::string_view text, int base) {
  text = strip(text);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto [unused, prefix_base] = scan_integer(text);
  if (prefix_base != 10 && (base == 0 || base == prefix_base)) {
    text.remove_prefix(text.size() > 2 && text[2] == '_' ? 3 : 2);
    base = prefix_base;
  }
  if (base == 0) base = 10;
  if (text.empty() || scan_digits(text, 0, base) != text.size()) return std::nullopt;
  const std::string digits = (negative ? "-" : "") + without_underscores(text);
  int64_t value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  return parsed.ec == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<double> parse_real(std::string_view text) {
  text = strip(text);
  std::string lower = to_lower(text);
  std::string_view word = lower;
  const bool negative = word.starts_with('-');
  if (negative || word.starts_with('+')) word.remove_prefix(1);
  std::optional<double> value;
  if (word == "inf" || word == "infinity") value = HUGE_VAL;
  if (word == "nan") value = NAN;
  if (!value) {
    // digits [. digits] or . digits, then an exponent
    const size_t whole = scan_digits(word, 0, 10);
    const bool point = whole < word.size() && word[whole] == '.';
    const size_t fraction = point ? scan_digits(word, whole + 1, 10) : 0;
    size_t end = whole + (point ? 1 + fraction : 0);
    end += scan_exponent(word, end);
    if (whole + fraction == 0 || end != word.size()) return std::nullopt;
    const std::string digits = without_underscores(word);
    double parsed = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), parsed).ec ==
        std::errc::result_out_of_range) {
      parsed = std::strtod(digits.c_str(), nullptr);  // infinity or zero
    }
    value = parsed;
  }
  return negative ? -*value : *value;
}

}  // namespace quern::text::jinja
