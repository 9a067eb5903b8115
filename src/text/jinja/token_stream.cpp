#include "text/jinja/token_stream.h"

#include <fmt/format.h>

namespace quern::text::jinja {

namespace {

std::string_view describe(Token::Kind kind) {
  switch (kind) {
    case Token::Kind::data:
      return "text";
    case Token::Kind::variable_begin:
      return "'{{'";
    case Token::Kind::variable_end:
      return "'}}'";
    case Token::Kind::block_begin:
      return "'{%'";
    case Token::Kind::block_end:
      return "'%}'";
    case Token::Kind::name:
      return "a name";
    case Token::Kind::text:
      return "a string";
    case Token::Kind::integer:
      return "an integer";
    case Token::Kind::real:
      return "a number";
    case Token::Kind::operation:
      return "an operator";
    case Token::Kind::end:
      return "the end of the template";
  }
  return "";
}

std::string describe(const Token& token) {
  return token.kind == Token::Kind::name || token.kind == Token::Kind::operation
             ? fmt::format("'{}'", token.text)
             : std::string(describe(token.kind));
}

}  // namespace

void TokenStream::fail_expecting(std::string_view what) const {
  fail_at(current().at, fmt::format("expected {}, got {}", what, describe(current())));
}

void TokenStream::expect_operation(std::string_view symbol) {
  if (!skip_operation(symbol)) fail_expecting(fmt::format("'{}'", symbol));
}

void TokenStream::expect_name(std::string_view name) {
  if (!skip_name(name)) fail_expecting(fmt::format("'{}'", name));
}

Token TokenStream::expect(Token::Kind kind) {
  if (!is(kind)) fail_expecting(describe(kind));
  return take();
}

}  // namespace quern::text::jinja
