#include "text/jinja/expression_parser.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/filters.h"
#include "text/jinja/parser.h"
#include "text/jinja/predicates.h"
#include "text/jinja/python_text.h"

namespace quern::text::jinja {

namespace {

using TokenKind = Token::Kind;

int depth_of(const ExpressionPtr& expression) { return expression ? expression->depth : 0; }

int depth_of(const std::vector<ExpressionPtr>& expressions) {
  int deepest = 0;
  for (const ExpressionPtr& expression : expressions) deepest = std::max(deepest, depth_of(expression));
  return deepest;
}

int depth_of(const CallArguments& arguments) {
  int deepest = std::max(
      {depth_of(arguments.positional), depth_of(arguments.more_positional), depth_of(arguments.more_named)});
  for (const auto& [name, value] : arguments.named) deepest = std::max(deepest, depth_of(value));
  return deepest;
}

template <class Node>
ExpressionPtr make(Position at, int deepest_child, Node node) {
  if (deepest_child >= kMaxSourceDepth) {
    fail_at(at, fmt::format("an expression of more than {} levels", kMaxSourceDepth), ErrorCode::unsupported);
  }
  auto expression = std::make_unique<Expression>();
  expression->at = at;
  expression->depth = deepest_child + 1;
  expression->node = std::move(node);
  return expression;
}

ExpressionPtr make_binary(Position at, BinaryOperator operation, ExpressionPtr left, ExpressionPtr right) {
  const int deepest = std::max(depth_of(left), depth_of(right));
  return make(at, deepest, Binary{operation, std::move(left), std::move(right)});
}

template <class Enum>
using Symbols = std::initializer_list<std::pair<std::string_view, Enum>>;

// The entry whose operator is the current token, which is taken.
template <class Enum>
std::optional<Enum> take_operation(TokenStream& tokens, Symbols<Enum> symbols) {
  for (const auto& [symbol, value] : symbols) {
    if (tokens.skip_operation(symbol)) return value;
  }
  return std::nullopt;
}

}  // namespace

ExpressionParser::Level::Level(ExpressionParser& parser) : parser_(parser) {
  if (parser.nesting_ >= kMaxSourceDepth) {
    fail_at(parser.tokens_.current().at,
            fmt::format("brackets and tags nested more than {} deep", kMaxSourceDepth),
            ErrorCode::unsupported);
  }
  ++parser.nesting_;
}

ExpressionPtr ExpressionParser::expression(bool conditional) {
  const Level level(*this);
  if (!conditional) return logical_or();
  const size_t unknown = unknown_count();
  const Position at = tokens_.current().at;
  ExpressionPtr result = logical_or();
  while (tokens_.skip_name("if")) {
    ExpressionPtr condition = logical_or();
    ExpressionPtr otherwise = tokens_.skip_name("else") ? expression() : nullptr;
    const int deepest = std::max({depth_of(result), depth_of(condition), depth_of(otherwise)});
    result = make(at, deepest, Conditional{std::move(condition), std::move(result), std::move(otherwise)});
    forgive_unknown(unknown);
  }
  return result;
}

ExpressionPtr ExpressionParser::logical_or() {
  ExpressionPtr left = logical_and();
  for (Position at = tokens_.current().at; tokens_.skip_name("or"); at = tokens_.current().at) {
    ExpressionPtr right = logical_and();
    const int deepest = std::max(depth_of(left), depth_of(right));
    left = make(at, deepest, Logical{false, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::logical_and() {
  ExpressionPtr left = logical_not();
  for (Position at = tokens_.current().at; tokens_.skip_name("and"); at = tokens_.current().at) {
    ExpressionPtr right = logical_not();
    const int deepest = std::max(depth_of(left), depth_of(right));
    left = make(at, deepest, Logical{true, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::logical_not() {
  const Position at = tokens_.current().at;
  if (!tokens_.skip_name("not")) return comparison();
  const Level level(*this);
  ExpressionPtr operand = logical_not();
  const int deepest = depth_of(operand);
  return make(at, deepest, Unary{UnaryOperator::logical_not, std::move(operand)});
}

ExpressionPtr ExpressionParser::comparison() {
  ExpressionPtr first = sum();
  const Position at = tokens_.current().at;
  Comparison node;
  int deepest = depth_of(first);
  for (;;) {
    std::optional<Comparator> comparator =
        take_operation<Comparator>(tokens_, {{"==", Comparator::equal},
                                             {"!=", Comparator::not_equal},
                                             {"<=", Comparator::less_equal},
                                             {">=", Comparator::greater_equal},
                                             {"<", Comparator::less},
                                             {">", Comparator::greater}});
    if (!comparator && tokens_.skip_name("in")) comparator = Comparator::in;
    if (!comparator && tokens_.is_name("not") && tokens_.following().kind == TokenKind::name &&
        tokens_.following().text == "in") {
      tokens_.take();
      tokens_.take();
      comparator = Comparator::not_in;
    }
    if (!comparator) break;
    node.rest.emplace_back(*comparator, sum());
    deepest = std::max(deepest, depth_of(node.rest.back().second));
  }
  if (node.rest.empty()) return first;
  node.first = std::move(first);
  return make(at, deepest, std::move(node));
}

ExpressionPtr ExpressionParser::sum() {
  ExpressionPtr left = concatenation();
  for (;;) {
    const Position at = tokens_.current().at;
    const auto operation = take_operation<BinaryOperator>(
        tokens_, {{"+", BinaryOperator::add}, {"-", BinaryOperator::subtract}});
    if (!operation) return left;
    left = make_binary(at, *operation, std::move(left), concatenation());
  }
}

ExpressionPtr ExpressionParser::concatenation() {
  const Position at = tokens_.current().at;
  std::vector<ExpressionPtr> parts;
  do {
    parts.push_back(product());
  } while (tokens_.skip_operation("~"));
  if (parts.size() == 1) return std::move(parts[0]);
  const int deepest = depth_of(parts);
  return make(at, deepest, Concatenation{std::move(parts)});
}

ExpressionPtr ExpressionParser::product() {
  ExpressionPtr left = power();
  for (;;) {
    const Position at = tokens_.current().at;
    const auto operation = take_operation<BinaryOperator>(tokens_, {{"*", BinaryOperator::multiply},
                                                                    {"/", BinaryOperator::divide},
                                                                    {"//", BinaryOperator::floor_divide},
                                                                    {"%", BinaryOperator::modulo}});
    if (!operation) return left;
    left = make_binary(at, *operation, std::move(left), power());
  }
}

// From the left: 2 ** 3 ** 2 is 64, unlike in Python.
ExpressionPtr ExpressionParser::power() {
  ExpressionPtr left = unary();
  for (Position at = tokens_.current().at; tokens_.skip_operation("**"); at = tokens_.current().at) {
    left = make_binary(at, BinaryOperator::power, std::move(left), unary());
  }
  return left;
}

ExpressionPtr ExpressionParser::unary(bool with_filter) {
  const Position at = tokens_.current().at;
  const auto operation =
      take_operation<UnaryOperator>(tokens_, {{"-", UnaryOperator::negate}, {"+", UnaryOperator::plus}});
  ExpressionPtr node;
  if (operation) {
    const Level level(*this);
    ExpressionPtr operand = unary(false);
    const int deepest = depth_of(operand);
    node = make(at, deepest, Unary{*operation, std::move(operand)});
  } else {
    node = primary();
  }
  node = postfix(std::move(node));
  return with_filter ? filters_and_tests(std::move(node)) : std::move(node);
}

ExpressionPtr ExpressionParser::primary() {
  const Position at = tokens_.current().at;
  switch (tokens_.current().kind) {
    case TokenKind::name:
      return name();
    case TokenKind::integer:
    case TokenKind::real:
      return make(at, 0, Constant{tokens_.take().value});
    case TokenKind::text: {
      std::string text = tokens_.take().value.text();
      while (tokens_.is(TokenKind::text)) text += tokens_.take().value.text();
      return make(at, 0, Constant{make_text(nullptr, std::move(text))});
    }
    default:
      break;
  }
  if (tokens_.is_operation("(")) return parenthesized();
  if (tokens_.is_operation("[")) return list();
  if (tokens_.is_operation("{")) return dict();
  tokens_.fail_expecting("an expression");
}

ExpressionPtr ExpressionParser::name() {
  Token token = tokens_.take();
  const std::string& text = token.text;
  if (text == "true" || text == "True") return make(token.at, 0, Constant{Value(true)});
  if (text == "false" || text == "False") return make(token.at, 0, Constant{Value(false)});
  if (text == "none" || text == "None") return make(token.at, 0, Constant{Value()});
  special_.caller |= text == "caller";
  special_.kwargs |= text == "kwargs";
  special_.varargs |= text == "varargs";
  return make(token.at, 0, Name{std::move(token.text)});
}

ExpressionPtr ExpressionParser::parenthesized() {
  const Position at = tokens_.take().at;
  if (tokens_.skip_operation(")")) return make(at, 0, ListLiteral{List::Form::tuple, {}});
  ExpressionPtr inside = tuple();
  tokens_.expect_operation(")");
  return inside;
}

bool ExpressionParser::ends_tuple() const {
  return tokens_.is(TokenKind::variable_end) || tokens_.is(TokenKind::block_end) || tokens_.is_operation(")");
}

ExpressionPtr ExpressionParser::tuple(bool conditional) {
  const Position at = tokens_.current().at;
  if (ends_tuple()) tokens_.fail_expecting("an expression");
  ExpressionPtr first = expression(conditional);
  if (!tokens_.is_operation(",")) return first;
  std::vector<ExpressionPtr> items;
  items.push_back(std::move(first));
  while (tokens_.skip_operation(",") && !ends_tuple()) items.push_back(expression(conditional));
  const int deepest = depth_of(items);
  return make(at, deepest, ListLiteral{List::Form::tuple, std::move(items)});
}

ExpressionPtr ExpressionParser::list() {
  const Position at = tokens_.take().at;
  std::vector<ExpressionPtr> items;
  while (!tokens_.is_operation("]")) {
    if (!items.empty()) tokens_.expect_operation(",");
    if (tokens_.is_operation("]")) break;
    items.push_back(expression());
  }
  tokens_.expect_operation("]");
  const int deepest = depth_of(items);
  return make(at, deepest, ListLiteral{List::Form::list, std::move(items)});
}

ExpressionPtr ExpressionParser::dict() {
  const Position at = tokens_.take().at;
  DictLiteral node;
  int deepest = 0;
  while (!tokens_.is_operation("}")) {
    if (!node.entries.empty()) tokens_.expect_operation(",");
    if (tokens_.is_operation("}")) break;
    ExpressionPtr key = expression();
    tokens_.expect_operation(":");
    ExpressionPtr value = expression();
    deepest = std::max({deepest, depth_of(key), depth_of(value)});
    node.entries.emplace_back(std::move(key), std::move(value));
  }
  tokens_.expect_operation("}");
  return make(at, deepest, std::move(node));
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr owner) {
  for (;;) {
    if (tokens_.is_operation(".")) {
      owner = attribute(std::move(owner));
    } else if (tokens_.is_operation("[")) {
      owner = subscript(std::move(owner));
    } else if (tokens_.is_operation("(")) {
      owner = call(std::move(owner));
    } else {
      return owner;
    }
  }
}

ExpressionPtr ExpressionParser::filters_and_tests(ExpressionPtr subject) {
  for (;;) {
    if (tokens_.is_operation("|")) {
      subject = filters(std::move(subject));
    } else if (tokens_.is_name("is")) {
      subject = test(std::move(subject));
    } else if (tokens_.is_operation("(")) {
      subject = call(std::move(subject));
    } else {
      return subject;
    }
  }
}

ExpressionPtr ExpressionParser::attribute(ExpressionPtr owner) {
  const Position at = tokens_.take().at;
  const int deepest = depth_of(owner);
  if (tokens_.is(TokenKind::integer)) {
    ExpressionPtr key = make(tokens_.current().at, 0, Constant{tokens_.current().value});
    tokens_.take();
    return make(at, deepest, Item{std::move(owner), std::move(key)});
  }
  if (!tokens_.is(TokenKind::name)) tokens_.fail_expecting("a name or number");
  return make(at, deepest, Attribute{std::move(owner), tokens_.take().text});
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr owner) {
  const Position at = tokens_.take().at;
  if (tokens_.is_operation("]")) tokens_.fail_expecting("an expression");
  ExpressionPtr key = tokens_.is_operation(":") ? nullptr : expression();
  if (tokens_.is_operation(":")) {
    ExpressionPtr node = slice(std::move(owner), std::move(key), at);
    tokens_.expect_operation("]");
    return node;
  }
  if (tokens_.is_operation(",")) {  // x[1, 2] has the key (1, 2)
    std::vector<ExpressionPtr> items;
    items.push_back(std::move(key));
    while (tokens_.skip_operation(",")) items.push_back(expression());
    const int deepest = depth_of(items);
    key = make(at, deepest, ListLiteral{List::Form::tuple, std::move(items)});
  }
  tokens_.expect_operation("]");
  const int deepest = std::max(depth_of(owner), depth_of(key));
  return make(at, deepest, Item{std::move(owner), std::move(key)});
}

ExpressionPtr ExpressionParser::slice(ExpressionPtr owner, ExpressionPtr start, Position at) {
  Slice node;
  tokens_.expect_operation(":");
  if (!tokens_.is_operation(":") && !tokens_.is_operation("]")) node.stop = expression();
  if (tokens_.skip_operation(":") && !tokens_.is_operation("]")) node.step = expression();
  const int deepest = std::max({depth_of(owner), depth_of(start), depth_of(node.stop), depth_of(node.step)});
  node.owner = std::move(owner);
  node.start = std::move(start);
  return make(at, deepest, std::move(node));
}

CallArguments ExpressionParser::arguments() {
  CallArguments result;
  const Position at = tokens_.current().at;
  const auto require = [&](bool in_order) {
    if (!in_order) fail_at(at, "the arguments of a call are out of order");
  };
  tokens_.expect_operation("(");
  for (bool first = true; !tokens_.is_operation(")"); first = false) {
    if (!first) tokens_.expect_operation(",");
    if (tokens_.is_operation(")")) break;
    if (tokens_.skip_operation("*")) {
      require(!result.more_positional && !result.more_named);
      result.more_positional = expression();
    } else if (tokens_.skip_operation("**")) {
      require(!result.more_named);
      result.more_named = expression();
    } else if (tokens_.is(TokenKind::name) && tokens_.following().kind == TokenKind::operation &&
               tokens_.following().text == "=") {
      require(!result.more_named);
      std::string name = tokens_.take().text;
      tokens_.take();
      result.named.emplace_back(std::move(name), expression());
    } else {
      require(!result.more_positional && !result.more_named && result.named.empty());
      result.positional.push_back(expression());
    }
  }
  tokens_.expect_operation(")");
  return result;
}

ExpressionPtr ExpressionParser::call(ExpressionPtr callee) {
  const Position at = tokens_.current().at;
  CallArguments given = arguments();
  const int deepest = std::max(depth_of(callee), depth_of(given));
  return make(at, deepest, Call{std::move(callee), std::move(given)});
}

std::string ExpressionParser::dotted_name() {
  std::string name = tokens_.expect(TokenKind::name).text;
  while (tokens_.skip_operation(".")) name += "." + tokens_.expect(TokenKind::name).text;
  return name;
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr subject) {
  while (tokens_.skip_operation("|")) subject = filter(std::move(subject));
  return subject;
}

ExpressionPtr ExpressionParser::filters_of_block() { return filters(filter(nullptr)); }

ExpressionPtr ExpressionParser::filter(ExpressionPtr subject) {
  const Position at = tokens_.current().at;
  FilterCall node;
  node.name = dotted_name();
  node.filter = find_filter(node.name);
  if (node.filter == nullptr)
    unknown_.push_back({at, fmt::format("no filter named {}", quoted_text(node.name))});
  if (tokens_.is_operation("(")) node.arguments = arguments();
  const int deepest = std::max(depth_of(subject), depth_of(node.arguments));
  node.subject = std::move(subject);
  return make(at, deepest, std::move(node));
}

ExpressionPtr ExpressionParser::test(ExpressionPtr subject) {
  const Position at = tokens_.take().at;
  const bool negated = tokens_.skip_name("not");
  TestCall node;
  node.name = dotted_name();
  node.test = find_predicate(node.name);
  if (node.test == nullptr) unknown_.push_back({at, fmt::format("no test named {}", quoted_text(node.name))});
  const bool operand = tokens_.is(TokenKind::name) || tokens_.is(TokenKind::text) ||
                       tokens_.is(TokenKind::integer) || tokens_.is(TokenKind::real) ||
                       tokens_.is_operation("[") || tokens_.is_operation("{");
  if (tokens_.is_operation("(")) {
    node.arguments = arguments();
  } else if (operand && !tokens_.is_name("else") && !tokens_.is_name("or") && !tokens_.is_name("and")) {
    if (tokens_.is_name("is")) fail_at(tokens_.current().at, "tests cannot be chained with 'is'");
    const Level level(*this);
    node.arguments.positional.push_back(postfix(primary()));
  }
  const int deepest = std::max(depth_of(subject), depth_of(node.arguments));
  node.subject = std::move(subject);
  ExpressionPtr result = make(at, deepest, std::move(node));
  if (!negated) return result;
  const int depth = depth_of(result);
  return make(at, depth, Unary{UnaryOperator::logical_not, std::move(result)});
}

}  // namespace quern::text::jinja
