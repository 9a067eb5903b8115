// A cursor over the text of a grammar or regular expression, with errors that say where.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "grammar/char_set.h"

namespace quern::grammar {

class SourceReader {
 public:
  explicit SourceReader(std::string_view text) : text_(text), rest_(text) {}

  bool done() const { return rest_.empty(); }
  // The next byte, or 0 at the end.
  char peek(size_t ahead = 0) const { return ahead < rest_.size() ? rest_[ahead] : '\0'; }
  bool sees(std::string_view text) const { return rest_.starts_with(text); }
  bool take(std::string_view text) {
    if (!sees(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  char32_t take_char() { return grammar::take_char(rest_); }
  std::string_view rest() const { return rest_; }
  void skip(size_t bytes) { rest_.remove_prefix(bytes); }
  size_t position() const { return text_.size() - rest_.size(); }

  // A decimal number; values past 4,294,967,294 become that. Nothing where no digit follows.
  std::optional<uint32_t> take_number() {
    if (peek() < '0' || peek() > '9') return std::nullopt;
    uint64_t number = 0;
    for (; peek() >= '0' && peek() <= '9'; skip(1))
      number = std::min<uint64_t>(number * 10 + static_cast<uint64_t>(peek() - '0'), UINT32_MAX - 1);
    return static_cast<uint32_t>(number);
  }
  // Exactly so many hexadecimal digits.
  std::optional<char32_t> take_hex(int digits) {
    char32_t value = 0;
    for (int i = 0; i < digits; ++i) {
      const char c = peek(static_cast<size_t>(i));
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return std::nullopt;
      value = value << 4 | static_cast<char32_t>(digit);
    }
    skip(static_cast<size_t>(digits));
    return value;
  }

  // invalid_argument: "<what>, line 2, column 5: <message>".
  Error error(std::string_view what, std::string_view message, std::string hint = {}) const {
    return error_at(position(), what, message, std::move(hint));
  }
  Error error_at(size_t position, std::string_view what, std::string_view message,
                 std::string hint = {}) const {
    size_t line = 1, column = 1;
    for (const char c : text_.substr(0, position)) {
      ++column;
      if (c == '\n') ++line, column = 1;
    }
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{}, line {}, column {}: {}", what, line, column, message),
                      std::move(hint));
  }

 private:
  std::string_view text_, rest_;
};

}  // namespace quern::grammar
