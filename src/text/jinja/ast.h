// A parsed template: statements and expressions. Nothing in it changes after parsing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/builtin.h"
#include "text/jinja/failure.h"
#include "text/jinja/value.h"

namespace quern::text::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;
struct Statement;
using Body = std::vector<Statement>;

// (a, b, *more, name=c, **others)
struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr more_positional;  // may be null
  ExpressionPtr more_named;       // may be null
};

struct Constant {
  Value value;
};
struct Name {
  std::string name;
};
struct ListLiteral {
  List::Form form;
  std::vector<ExpressionPtr> items;
};
struct DictLiteral {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
};
enum class UnaryOperator { negate, plus, logical_not };
struct Unary {
  UnaryOperator operation;
  ExpressionPtr operand;
};
enum class BinaryOperator { add, subtract, multiply, divide, floor_divide, modulo, power };
struct Binary {
  BinaryOperator operation;
  ExpressionPtr left, right;
};
// a ~ b ~ c
struct Concatenation {
  std::vector<ExpressionPtr> parts;
};
enum class Comparator { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in };
// a < b <= c
struct Comparison {
  ExpressionPtr first;
  std::vector<std::pair<Comparator, ExpressionPtr>> rest;
};
// `and`, `or`: give the operand that decides
struct Logical {
  bool is_and;
  ExpressionPtr left, right;
};
struct Conditional {
  ExpressionPtr condition, then;
  ExpressionPtr otherwise;  // null: undefined
};
struct Attribute {
  ExpressionPtr owner;
  std::string name;
};
struct Item {
  ExpressionPtr owner, key;
};
struct Slice {
  ExpressionPtr owner;
  ExpressionPtr start, stop, step;  // null: left out
};
struct Call {
  ExpressionPtr callee;
  CallArguments arguments;
};
struct FilterCall {
  ExpressionPtr subject;  // null: the text of a filter block or of a block assignment
  const Builtin* filter;  // null: unknown, an error when it runs
  std::string name;
  CallArguments arguments;
};
struct TestCall {
  ExpressionPtr subject;
  const Builtin* test;  // null: unknown, an error when it runs
  std::string name;
  CallArguments arguments;
};

struct Expression {
  Position at = 0;
  int depth = 1;  // of the tree below
  std::variant<Constant, Name, ListLiteral, DictLiteral, Unary, Binary, Concatenation, Comparison, Logical,
               Conditional, Attribute, Item, Slice, Call, FilterCall, TestCall>
      node;
};

// What can be assigned to: a name, an attribute of a namespace, or several of them.
struct Target {
  Position at = 0;
  std::string name;
  std::string attribute;                     // of the namespace `name`, when not empty
  std::optional<std::vector<Target>> parts;  // instead of a name
};

// The parameters and the body of a macro or call block.
struct MacroDefinition {
  std::string name;  // empty for a call block
  std::vector<std::string> parameters;
  std::vector<ExpressionPtr> defaults;  // of the last parameters
  Body body;
  bool uses_caller = false, uses_kwargs = false, uses_varargs = false;
};

struct Data {
  std::string text;
};
struct Output {
  ExpressionPtr value;
};
struct For {
  Target target;
  ExpressionPtr items;
  ExpressionPtr condition;  // may be null
  bool recursive = false;
  Body body, otherwise;
};
struct If {
  std::vector<std::pair<ExpressionPtr, Body>> branches;
  Body otherwise;
};
struct Set {
  Target target;
  ExpressionPtr value;
};
struct SetBlock {
  Target target;
  ExpressionPtr filter;  // may be null
  Body body;
};
struct Macro {
  MacroDefinition definition;
};
struct CallBlock {
  MacroDefinition caller;
  ExpressionPtr call;
};
struct FilterBlock {
  ExpressionPtr filter;
  Body body;
};
struct With {
  std::vector<std::pair<Target, ExpressionPtr>> assignments;
  Body body;
};
// {% generation %}: the words of the assistant, whose place in the output is recorded.
struct Generation {
  Body body;
};
// {% block %}, rendered where it stands; it sees the names of the top level only.
struct Block {
  Body body;
};
struct Break {};
struct Continue {};

struct Statement {
  Position at = 0;
  std::variant<Data, Output, For, If, Set, SetBlock, Macro, CallBlock, FilterBlock, With, Generation, Block,
               Break, Continue>
      node;
};

}  // namespace quern::text::jinja
