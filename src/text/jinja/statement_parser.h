// Statements of templates: text, {{ }} and {% %}.
#pragma once

#include <initializer_list>
#include <string>

#include "text/jinja/expression_parser.h"

namespace quern::text::jinja {

class StatementParser {
 public:
  explicit StatementParser(TokenStream& tokens) : tokens_(tokens), expressions_(tokens) {}
  Body parse_template();

 private:
  using EndTags = std::initializer_list<std::string_view>;
  // Statements until one of `ends` is the name in a tag, which stays; the opening tag ends first.
  Body body(EndTags ends);
  Body statements(EndTags ends);
  // The body up to the tag `end`, which is taken.
  Body body_to(std::string_view end);
  void statement(Body& into, EndTags ends);

  Statement parse_for();
  Statement parse_if();
  Statement parse_set();
  Statement parse_with();
  Statement parse_macro();
  Statement parse_call();
  Statement parse_filter();
  Statement parse_block();
  void parse_print(Body& into);

  void signature(MacroDefinition& definition);
  // A body that no break or continue can leave.
  Body closed_body(std::string_view end);
  void definition_body(MacroDefinition& definition, std::string_view end);
  // Names to assign to; `with_attribute` allows those of a namespace.
  Target target(bool with_attribute);
  Target simple_target(bool with_attribute);
  [[noreturn]] void fail_unknown_tag(const Token& tag, EndTags ends) const;

  TokenStream& tokens_;
  ExpressionParser expressions_;
  int loops_ = 0;  // that a break here could leave
};

}  // namespace quern::text::jinja
