// Runs a parsed template: evaluates its expressions and executes its statements. Failures leave as exceptions.
#pragma once

#include <ctime>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/builtin.h"
#include "text/jinja/scope.h"
#include "text/jinja/value.h"

namespace quern::text::jinja {

// For one rendering; not thread-safe.
class Interpreter {
 public:
  // `now` is the local time that strftime_now() tells.
  Interpreter(const Limits& limits, Heap& heap, std::time_t now);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  // A name of the outermost scope; `name` outlives the interpreter.
  void define(std::string_view name, Value value) { root_->set(name, std::move(value)); }
  // The output of the statements. Called once.
  std::string run(const Body& body);
  // Where {% generation %} blocks stand in the output: begin and end, in bytes.
  const std::vector<std::pair<size_t, size_t>>& generated() const { return generated_; }

  Heap& heap() { return heap_; }
  std::time_t now() const { return now_; }

  Value evaluate(const Expression& expression);
  // Calls a function, method, macro or type; Failure for other values.
  Value call(const Value& callee, const Arguments& arguments);
  Value call_macro(const MacroDefinition& macro, const ScopePtr& closure, const Arguments& arguments);
  // The text of a recursive loop's body for other items.
  Value call_loop(const For& loop, const ScopePtr& outside, const Value& items, int depth);
  // Keeps an object that may hold itself, to clear it in the end.
  void keep(std::shared_ptr<Object> object) { kept_objects_.push_back(std::move(object)); }

 private:
  enum class Flow { next, leave_loop, next_round };

  Value evaluate_node(const Constant& node, const Expression& at) { return node.value; }
  Value evaluate_node(const Name& node, const Expression& at);
  Value evaluate_node(const ListLiteral& node, const Expression& at);
  Value evaluate_node(const DictLiteral& node, const Expression& at);
  Value evaluate_node(const Unary& node, const Expression& at);
  Value evaluate_node(const Binary& node, const Expression& at);
  Value evaluate_node(const Concatenation& node, const Expression& at);
  Value evaluate_node(const Comparison& node, const Expression& at);
  Value evaluate_node(const Logical& node, const Expression& at);
  Value evaluate_node(const Conditional& node, const Expression& at);
  Value evaluate_node(const Attribute& node, const Expression& at);
  Value evaluate_node(const Item& node, const Expression& at);
  Value evaluate_node(const Slice& node, const Expression& at);
  Value evaluate_node(const Call& node, const Expression& at);
  Value evaluate_node(const FilterCall& node, const Expression& at);
  Value evaluate_node(const TestCall& node, const Expression& at);
  Arguments evaluate_arguments(const CallArguments& arguments);
  Value evaluate_or_none(const ExpressionPtr& expression);
  Value evaluate_call(const Call& node, const Value* caller);
  // The filters of a block over its text.
  Value filter_text(const Expression& filters, Value text);

  Flow execute(const Body& body);
  Flow execute_node(const Data& node);
  Flow execute_node(const Output& node);
  Flow execute_node(const For& node);
  Flow execute_node(const If& node);
  Flow execute_node(const Set& node);
  Flow execute_node(const SetBlock& node);
  Flow execute_node(const Macro& node);
  Flow execute_node(const CallBlock& node);
  Flow execute_node(const FilterBlock& node);
  Flow execute_node(const With& node);
  Flow execute_node(const Generation& node);
  Flow execute_node(const Block& node);
  Flow execute_node(const Break&) { return Flow::leave_loop; }
  Flow execute_node(const Continue&) { return Flow::next_round; }

  Flow execute_in(const Body& body, ScopePtr scope);
  // Executes in a new scope with the output caught in `text`.
  Flow capture(const Body& body, Value& text);
  Flow run_loop(const For& node, const Value& iterable, int depth);
  std::shared_ptr<const List> filter_items(const For& node, std::shared_ptr<const List> items);
  void assign(const Target& target, Value value);
  void write(const Value& value);
  ScopePtr new_scope() { return std::make_shared<Scope>(heap_, scope_); }
  // A scope that values may hold on to.
  const ScopePtr& keep_scope();

  class Within;
  class Captured;

  const Limits limits_;
  Heap& heap_;
  const std::time_t now_;
  ScopePtr root_;
  ScopePtr scope_;
  TextBuilder* out_ = nullptr;
  bool top_output_ = true;  // out_ is the output of the template
  std::vector<std::pair<size_t, size_t>> generated_;
  std::vector<ScopePtr> kept_scopes_;
  std::vector<std::shared_ptr<Object>> kept_objects_;
  const Value* block_text_ = nullptr;  // the subject of the filters of a block
};

}  // namespace quern::text::jinja
