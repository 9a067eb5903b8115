#include "text/jinja/statement_parser.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "text/jinja/parser.h"

namespace quern::text::jinja {

namespace {

using TokenKind = Token::Kind;

template <class Node>
Statement make(Position at, Node node) {
  return Statement{at, std::move(node)};
}

bool names_loop(const Target& target) {
  return target.parts ? std::ranges::any_of(*target.parts, names_loop) : target.name == "loop";
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

Body StatementParser::parse_template() {
  Body result = statements({});
  if (!expressions_.unknown().empty()) {
    const ExpressionParser::Unknown& first = expressions_.unknown().front();
    fail_at(first.at, first.message, ErrorCode::unsupported);
  }
  return result;
}

Body StatementParser::body(EndTags ends) {
  tokens_.skip_operation(":");
  tokens_.expect(TokenKind::block_end);
  Body result = statements(ends);
  if (tokens_.is(TokenKind::end)) {
    tokens_.fail_expecting(fmt::format("one of the tags '{}'", fmt::join(ends, "', '")));
  }
  return result;
}

Body StatementParser::body_to(std::string_view end) {
  Body result = body({end});
  tokens_.take();
  return result;
}

Body StatementParser::closed_body(std::string_view end) {
  const int loops = std::exchange(loops_, 0);
  Body result = body_to(end);
  loops_ = loops;
  return result;
}

Body StatementParser::statements(EndTags ends) {
  const ExpressionParser::Level level(expressions_);
  Body result;
  while (!tokens_.is(TokenKind::end)) {
    const Position at = tokens_.current().at;
    if (tokens_.is(TokenKind::data)) {
      result.push_back(make(at, Data{tokens_.take().text}));
    } else if (tokens_.is(TokenKind::variable_begin)) {
      tokens_.take();
      result.push_back(make(at, Output{expressions_.tuple()}));
      tokens_.expect(TokenKind::variable_end);
    } else {
      tokens_.expect(TokenKind::block_begin);
      if (tokens_.is(TokenKind::name) && is_one_of(tokens_.current().text, ends)) return result;
      statement(result, ends);
      tokens_.expect(TokenKind::block_end);
    }
  }
  return result;
}

void StatementParser::statement(Body& into, EndTags ends) {
  if (!tokens_.is(TokenKind::name)) tokens_.fail_expecting("the name of a tag");
  const Token tag = tokens_.take();
  const std::string& name = tag.text;
  const auto add = [&](Statement statement) {
    statement.at = tag.at;
    into.push_back(std::move(statement));
  };
  if (name == "for") return add(parse_for());
  if (name == "if") return add(parse_if());
  if (name == "set") return add(parse_set());
  if (name == "with") return add(parse_with());
  if (name == "macro") return add(parse_macro());
  if (name == "call") return add(parse_call());
  if (name == "filter") return add(parse_filter());
  if (name == "block") return add(parse_block());
  if (name == "print") return parse_print(into);
  if (name == "generation") return add(make(tag.at, Generation{closed_body("endgeneration")}));
  if (name == "break" || name == "continue") {
    if (loops_ == 0) fail_at(tag.at, fmt::format("'{}' outside of a loop", name));
    return add(name == "break" ? make(tag.at, Break{}) : make(tag.at, Continue{}));
  }
  if (is_one_of(name, {"extends", "include", "import", "from", "autoescape"})) {
    fail_at(tag.at, fmt::format("the tag '{}' is not supported: a chat template stands alone", name),
            ErrorCode::unsupported);
  }
  fail_unknown_tag(tag, ends);
}

void StatementParser::fail_unknown_tag(const Token& tag, EndTags ends) const {
  if (ends.size() == 0) fail_at(tag.at, fmt::format("unknown tag '{}'", tag.text));
  fail_at(tag.at, fmt::format("unknown tag '{}' where '{}' is missing", tag.text, fmt::join(ends, "' or '")));
}

Statement StatementParser::parse_for() {
  For node;
  const Position at = tokens_.current().at;
  node.target = target(false);
  if (names_loop(node.target)) fail_at(at, "cannot assign to 'loop', the loop's own variable");
  tokens_.expect_name("in");
  node.items = expressions_.tuple(false);
  if (tokens_.skip_name("if")) node.condition = expressions_.expression();
  node.recursive = tokens_.skip_name("recursive");
  ++loops_;
  node.body = body({"endfor", "else"});
  --loops_;
  if (tokens_.take().text == "else") node.otherwise = body_to("endfor");
  return make(at, std::move(node));
}

Statement StatementParser::parse_if() {
  const size_t unknown = expressions_.unknown_count();
  If node;
  std::string tag = "if";
  while (tag != "endif") {
    if (tag == "else") {
      node.otherwise = body_to("endif");
      break;
    }
    ExpressionPtr condition = expressions_.tuple(false);
    Body branch = body({"elif", "else", "endif"});
    node.branches.emplace_back(std::move(condition), std::move(branch));
    tag = tokens_.take().text;
  }
  expressions_.forgive_unknown(unknown);
  return make(0, std::move(node));
}

Statement StatementParser::parse_set() {
  Target assigned = target(true);
  if (tokens_.skip_operation("=")) return make(0, Set{std::move(assigned), expressions_.tuple()});
  ExpressionPtr filter = expressions_.filters(nullptr);
  Body content = body_to("endset");
  return make(0, SetBlock{std::move(assigned), std::move(filter), std::move(content)});
}

Statement StatementParser::parse_with() {
  With node;
  while (!tokens_.is(TokenKind::block_end)) {
    if (!node.assignments.empty()) tokens_.expect_operation(",");
    Target assigned = target(false);
    tokens_.expect_operation("=");
    node.assignments.emplace_back(std::move(assigned), expressions_.expression());
  }
  node.body = body_to("endwith");
  return make(0, std::move(node));
}

void StatementParser::signature(MacroDefinition& definition) {
  tokens_.expect_operation("(");
  while (!tokens_.is_operation(")")) {
    if (!definition.parameters.empty()) tokens_.expect_operation(",");
    definition.parameters.push_back(tokens_.expect(TokenKind::name).text);
    if (tokens_.skip_operation("=")) {
      definition.defaults.push_back(expressions_.expression());
    } else if (!definition.defaults.empty()) {
      tokens_.fail_expecting("a default, as the parameter before has one");
    }
  }
  tokens_.expect_operation(")");
}

void StatementParser::definition_body(MacroDefinition& definition, std::string_view end) {
  ExpressionParser::SpecialNames& names = expressions_.special_names();
  const ExpressionParser::SpecialNames outer = std::exchange(names, {});
  definition.body = closed_body(end);
  const auto is_parameter = [&](std::string_view name) {
    return std::ranges::find(definition.parameters, name) != definition.parameters.end();
  };
  const auto caller =
      static_cast<size_t>(std::ranges::find(definition.parameters, "caller") - definition.parameters.begin());
  if (names.caller && caller + definition.defaults.size() < definition.parameters.size()) {
    tokens_.fail_expecting("a default for the special parameter 'caller'");
  }
  definition.uses_caller = names.caller && !is_parameter("caller");
  definition.uses_kwargs = names.kwargs && !is_parameter("kwargs");
  definition.uses_varargs = names.varargs && !is_parameter("varargs");
  names = {names.caller || outer.caller, names.kwargs || outer.kwargs, names.varargs || outer.varargs};
}

Statement StatementParser::parse_macro() {
  Macro node;
  node.definition.name = tokens_.expect(TokenKind::name).text;
  signature(node.definition);
  definition_body(node.definition, "endmacro");
  return make(0, std::move(node));
}

Statement StatementParser::parse_call() {
  CallBlock node;
  if (tokens_.is_operation("(")) signature(node.caller);
  const Position at = tokens_.current().at;
  node.call = expressions_.expression();
  if (!std::holds_alternative<Call>(node.call->node)) fail_at(at, "expected a call");
  definition_body(node.caller, "endcall");
  return make(0, std::move(node));
}

Statement StatementParser::parse_filter() {
  FilterBlock node;
  node.filter = expressions_.filters_of_block();
  node.body = body_to("endfilter");
  return make(0, std::move(node));
}

Statement StatementParser::parse_block() {
  const std::string name = tokens_.expect(TokenKind::name).text;
  tokens_.skip_name("scoped");
  if (tokens_.is_name("required")) tokens_.fail_expecting("the end of the tag");
  Statement result = make(0, Block{closed_body("endblock")});
  tokens_.skip_name(name);
  return result;
}

void StatementParser::parse_print(Body& into) {
  for (bool first = true; !tokens_.is(TokenKind::block_end); first = false) {
    if (!first) tokens_.expect_operation(",");
    const Position at = tokens_.current().at;
    into.push_back(make(at, Output{expressions_.expression()}));
  }
}

Target StatementParser::simple_target(bool with_attribute) {
  const ExpressionParser::Level level(expressions_);
  Target result;
  result.at = tokens_.current().at;
  if (tokens_.skip_operation("(")) {
    result = target(false);
    tokens_.expect_operation(")");
    return result;
  }
  result.name = tokens_.expect(TokenKind::name).text;
  if (is_one_of(result.name, {"true", "false", "none", "True", "False", "None"})) {
    fail_at(result.at, fmt::format("cannot assign to '{}'", result.name));
  }
  if (with_attribute && tokens_.skip_operation(".")) result.attribute = tokens_.expect(TokenKind::name).text;
  return result;
}

Target StatementParser::target(bool with_attribute) {
  Target first = simple_target(with_attribute);
  if (!tokens_.is_operation(",")) return first;
  Target result;
  result.at = first.at;
  result.parts.emplace();
  result.parts->push_back(std::move(first));
  while (tokens_.skip_operation(",")) {
    if (tokens_.is(TokenKind::block_end) || tokens_.is_operation(")")) break;
    result.parts->push_back(simple_target(with_attribute));
  }
  return result;
}

Body parse(std::string_view source) {
  TokenStream tokens(tokenize(source));
  return StatementParser(tokens).parse_template();
}

}  // namespace quern::text::jinja
