// The tokens of a template as the parser reads them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/lexer.h"

namespace quern::text::jinja {

class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[next_]; }
  const Token& following() const { return tokens_[next_ + 1 < tokens_.size() ? next_ + 1 : next_]; }
  bool is(Token::Kind kind) const { return current().kind == kind; }
  bool is_name(std::string_view name) const { return is(Token::Kind::name) && current().text == name; }
  bool is_operation(std::string_view symbol) const {
    return is(Token::Kind::operation) && current().text == symbol;
  }
  // The current token; goes to the next.
  Token take() { return next_ + 1 < tokens_.size() ? std::move(tokens_[next_++]) : tokens_[next_]; }
  bool skip_name(std::string_view name) { return is_name(name) && (take(), true); }
  bool skip_operation(std::string_view symbol) { return is_operation(symbol) && (take(), true); }
  // Takes the token or throws Failure that says what was expected.
  void expect_operation(std::string_view symbol);
  void expect_name(std::string_view name);
  Token expect(Token::Kind kind);
  // Fails at the current token: "expected ..., got ...".
  [[noreturn]] void fail_expecting(std::string_view what) const;

 private:
  std::vector<Token> tokens_;
  size_t next_ = 0;
};

}  // namespace quern::text::jinja
