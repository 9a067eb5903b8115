#include "text/jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/literal.h"
#include "text/jinja/python_text.h"
#include "text/unicode.h"

namespace quern::text::jinja {

namespace {

constexpr size_t kNotFound = std::string_view::npos;
// Longer operators first.
constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                           "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                           ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};

char sign_at(std::string_view source, size_t at) {
  return at < source.size() && (source[at] == '-' || source[at] == '+') ? source[at] : '\0';
}

bool all_space(std::string_view text) { return !text.empty() && strip_left(text).empty(); }

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) text_and_tag();
    add(Token::Kind::end, at_);
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return source_.substr(at_); }
  void add(Token::Kind kind, size_t at, std::string text = {}, Value value = {}) {
    tokens_.push_back({kind, std::move(text), std::move(value), static_cast<Position>(at)});
  }
  void add_data(size_t from, std::string_view text) {
    if (!text.empty()) add(Token::Kind::data, from, std::string(text));
  }
  // Whether the text before at_ ended a line.
  bool starts_line() const { return at_ == 0 || source_[at_ - 1] == '\n'; }
  void skip_space() { at_ = source_.size() - strip_left(rest()).size(); }
  void skip_newline() {
    if (at_ < source_.size() && source_[at_] == '\n') ++at_;
  }

  // The text up to a tag, without the whitespace that the tag removes: all of it with the sign '-'; without a
  // sign, what stands between the start of the line and a tag that is not {{ (lstrip_blocks).
  std::string_view trimmed(std::string_view text, char sign, bool variable) const {
    if (sign == '-') return strip_right(text);
    if (sign == '+' || variable) return text;
    const size_t line = text.rfind('\n') + 1;  // npos + 1 == 0
    if ((line > 0 || starts_line()) && all_space(text.substr(line))) return text.substr(0, line);
    return text;
  }

  void text_and_tag() {
    const size_t tag = next_tag();
    if (tag == kNotFound) {
      add_data(at_, rest());
      at_ = source_.size();
      return;
    }
    const char kind = source_[tag + 1];
    const char sign = sign_at(source_, tag + 2);
    add_data(at_, trimmed(source_.substr(at_, tag - at_), sign, kind == '{'));
    at_ = tag + 2 + (sign != '\0');
    if (kind == '#') {
      comment(tag);
    } else if (kind == '{') {
      add(Token::Kind::variable_begin, tag);
      inside("}}", Token::Kind::variable_end);
    } else if (const size_t body = raw_body(); body != kNotFound) {
      at_ = body;
      raw(tag);
    } else {
      add(Token::Kind::block_begin, tag);
      inside("%}", Token::Kind::block_end);
    }
  }
  // Where "{{", "{%" or "{#" stands next.
  size_t next_tag() const {
    for (size_t at = source_.find('{', at_); at != kNotFound && at + 1 < source_.size();
         at = source_.find('{', at + 1)) {
      if (source_[at + 1] == '{' || source_[at + 1] == '%' || source_[at + 1] == '#') return at;
    }
    return kNotFound;
  }

  void comment(size_t start) {
    const size_t end = source_.find("#}", at_);
    if (end == kNotFound) fail_at(static_cast<Position>(start), "missing end of comment tag");
    const char sign = end > at_ ? sign_at(source_, end - 1) : '\0';
    at_ = end + 2;
    close_tag(sign);
  }
  // After the end of a tag: '-' removes all whitespace, no sign one newline (trim_blocks).
  void close_tag(char sign) {
    if (sign == '-') {
      skip_space();
    } else if (sign != '+') {
      skip_newline();
    }
  }

  // Where the text of a raw block begins, when at_ is after "{%" of one; npos otherwise.
  size_t raw_body() const {
    std::string_view text = strip_left(rest());
    if (!text.starts_with("raw")) return kNotFound;
    text = strip_left(text.substr(3));
    if (text.starts_with("-%}")) return source_.size() - strip_left(text.substr(3)).size();
    return text.starts_with("%}") ? source_.size() - text.size() + 2 : kNotFound;
  }

  void raw(size_t start) {
    for (size_t tag = source_.find("{%", at_); tag != kNotFound; tag = source_.find("{%", tag + 1)) {
      const char sign = sign_at(source_, tag + 2);
      std::string_view text = strip_left(source_.substr(tag + 2 + (sign != '\0')));
      if (!text.starts_with("endraw")) continue;
      text = strip_left(text.substr(6));
      const char end_sign = sign_at(text, 0);
      if (end_sign != '\0') text.remove_prefix(1);
      if (!text.starts_with("%}")) continue;
      add_data(at_, trimmed(source_.substr(at_, tag - at_), sign, false));
      at_ = source_.size() - text.size() + 2;
      close_tag(end_sign);
      return;
    }
    fail_at(static_cast<Position>(start), "missing end of raw directive");
  }

  // The tokens of a tag up to `end`, which counts only outside of brackets.
  void inside(std::string_view end, Token::Kind end_kind) {
    std::vector<char> open;
    const bool block = end_kind == Token::Kind::block_end;
    for (;;) {
      if (open.empty()) {
        const char sign = sign_at(source_, at_);
        const bool signed_end = (sign == '-' || (sign == '+' && block)) && rest().substr(1).starts_with(end);
        if (signed_end || rest().starts_with(end)) {
          add(end_kind, at_);
          at_ += end.size() + signed_end;
          if (signed_end ? sign == '-' : block) close_tag(signed_end ? sign : '\0');
          return;
        }
      }
      if (at_ >= source_.size()) return;  // the parser says what is missing
      const size_t before = at_;
      skip_space();
      if (at_ == before) token(open);
    }
  }

  void token(std::vector<char>& open) {
    const size_t start = at_;
    const char c = source_[at_];
    if (c >= '0' && c <= '9') {
      const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
      NumberLiteral number = scan_number(rest(), after_dot, static_cast<Position>(start));
      at_ += number.length;
      const bool real = number.value.kind() == Value::Kind::real;
      add(real ? Token::Kind::real : Token::Kind::integer, start, {}, std::move(number.value));
    } else if (const size_t name = name_length(); name > 0) {
      add(Token::Kind::name, start, std::string(rest().substr(0, name)));
      at_ += name;
    } else if ((c == '\'' || c == '"') && string_end(c) != kNotFound) {
      const size_t last = string_end(c);
      add(Token::Kind::text, start, {},
          make_text(nullptr,
                    unescape(source_.substr(start + 1, last - start - 1), static_cast<Position>(start))));
      at_ = last + 1;
    } else {
      operation(open);
    }
  }

  size_t name_length() const {
    size_t length = 0;
    while (length < rest().size()) {
      const Decoded c = decode_utf8(rest().substr(length));
      const uint16_t wanted = length == 0 ? kLetter : kWord;
      if (c.code_point != '_' && (classes_of(c.code_point) & wanted) == 0) break;
      length += c.length;
    }
    return length;
  }

  size_t string_end(char quote) const {
    for (size_t at = at_ + 1; at < source_.size(); ++at) {
      if (source_[at] == '\\') {
        ++at;
      } else if (source_[at] == quote) {
        return at;
      }
    }
    return kNotFound;
  }

  void operation(std::vector<char>& open) {
    const auto start = static_cast<Position>(at_);
    const auto* const found =
        std::ranges::find_if(kOperators, [&](std::string_view symbol) { return rest().starts_with(symbol); });
    if (found == std::end(kOperators)) {
      const std::string_view character = rest().substr(0, decode_utf8(rest()).length);
      fail_at(start, fmt::format("unexpected character {}", quoted_text(character)));
    }
    const char symbol = (*found)[0];
    if (symbol == '(') open.push_back(')');
    if (symbol == '[') open.push_back(']');
    if (symbol == '{') open.push_back('}');
    if (symbol == ')' || symbol == ']' || symbol == '}') {
      if (open.empty()) fail_at(start, fmt::format("unexpected '{}'", symbol));
      if (open.back() != symbol)
        fail_at(start, fmt::format("unexpected '{}', expected '{}'", symbol, open.back()));
      open.pop_back();
    }
    add(Token::Kind::operation, at_, std::string(*found));
    at_ += found->size();
  }

  std::string_view source_;
  size_t at_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

std::string normalize_source(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace quern::text::jinja
