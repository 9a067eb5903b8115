// How the interpreter evaluates expressions.
#include <fmt/format.h>

#include "text/jinja/attributes.h"
#include "text/jinja/failure.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/jinja/repr.h"

namespace quern::text::jinja {

Value Interpreter::evaluate(const Expression& expression) {
  const Heap::Level level(heap_);
  heap_.spend();
  try {
    return std::visit([&](const auto& node) { return evaluate_node(node, expression); }, expression.node);
  } catch (Failure& failure) {
    if (!failure.at) failure.at = expression.at;
    throw;
  }
}

Value Interpreter::evaluate_or_none(const ExpressionPtr& expression) {
  return expression ? evaluate(*expression) : Value();
}

Value Interpreter::evaluate_node(const Name& node, const Expression& at) {
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get()) {
    heap_.spend(scope->names.size() / 16);  // names are searched one by one
  }
  if (const Value* const found = scope_->find(node.name)) return *found;
  return make_undefined(heap_, fmt::format("{} is undefined", quoted_text(node.name)));
}

Value Interpreter::evaluate_node(const ListLiteral& node, const Expression& at) {
  Values items;
  for (const ExpressionPtr& item : node.items) items.push_back(evaluate(*item));
  return make_list(&heap_, std::move(items), node.form);
}

Value Interpreter::evaluate_node(const DictLiteral& node, const Expression& at) {
  std::vector<std::pair<Value, Value>> entries;
  for (const auto& [key, value] : node.entries) {
    Value evaluated = evaluate(*key);
    entries.emplace_back(std::move(evaluated), evaluate(*value));
  }
  return make_dict(&heap_, std::move(entries));
}

Value Interpreter::evaluate_node(const Unary& node, const Expression& at) {
  const Value operand = evaluate(*node.operand);
  if (node.operation == UnaryOperator::logical_not) return !truth(operand);
  return apply(heap_, node.operation, operand);
}

Value Interpreter::evaluate_node(const Binary& node, const Expression& at) {
  const Value left = evaluate(*node.left);
  return apply(heap_, node.operation, left, evaluate(*node.right));
}

Value Interpreter::evaluate_node(const Concatenation& node, const Expression& at) {
  TextBuilder out(heap_);
  for (const ExpressionPtr& part : node.parts) out += to_string(heap_, evaluate(*part));
  return std::move(out).finish();
}

Value Interpreter::evaluate_node(const Comparison& node, const Expression& at) {
  Value left = evaluate(*node.first);
  for (const auto& [comparator, operand] : node.rest) {
    Value right = evaluate(*operand);
    if (!apply(heap_, comparator, left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::evaluate_node(const Logical& node, const Expression& at) {
  Value left = evaluate(*node.left);
  return truth(left) == node.is_and ? evaluate(*node.right) : left;
}

Value Interpreter::evaluate_node(const Conditional& node, const Expression& at) {
  if (truth(evaluate(*node.condition))) return evaluate(*node.then);
  if (node.otherwise) return evaluate(*node.otherwise);
  return make_undefined(heap_, "the inline if-expression evaluated to false and no else section was defined");
}

Value Interpreter::evaluate_node(const Attribute& node, const Expression& at) {
  return get_attribute(heap_, evaluate(*node.owner), node.name);
}

Value Interpreter::evaluate_node(const Item& node, const Expression& at) {
  const Value owner = evaluate(*node.owner);
  return get_item(heap_, owner, evaluate(*node.key));
}

Value Interpreter::evaluate_node(const Slice& node, const Expression& at) {
  const Value owner = evaluate(*node.owner);
  const Value start = evaluate_or_none(node.start);
  const Value stop = evaluate_or_none(node.stop);
  return get_slice(heap_, owner, start, stop, evaluate_or_none(node.step));
}

Arguments Interpreter::evaluate_arguments(const CallArguments& arguments) {
  Arguments result;
  for (const ExpressionPtr& argument : arguments.positional) result.positional.push_back(evaluate(*argument));
  for (const auto& [name, argument] : arguments.named) result.named.emplace_back(name, evaluate(*argument));
  if (arguments.more_positional) {
    const auto more = sequence_of(heap_, evaluate(*arguments.more_positional));
    result.positional.insert(result.positional.end(), more->items.begin(), more->items.end());
  }
  if (arguments.more_named) {
    const Value more = evaluate(*arguments.more_named);
    require_defined(more);
    if (!more.is_dict()) fail(fmt::format("argument after ** must be a mapping, not {}", type_name(more)));
    heap_.spend(more.dict().entries.size());
    for (const auto& [name, value] : more.dict().entries) {
      if (!name.is_text()) fail("keywords must be strings");
      result.named.emplace_back(name.text(), value);
    }
  }
  return result;
}

Value Interpreter::evaluate_call(const Call& node, const Value* caller) {
  const Value callee = evaluate(*node.callee);
  Arguments arguments = evaluate_arguments(node.arguments);
  if (caller != nullptr) arguments.named.emplace_back("caller", *caller);
  return call(callee, arguments);
}

Value Interpreter::evaluate_node(const Call& node, const Expression& at) {
  return evaluate_call(node, nullptr);
}

Value Interpreter::call(const Value& callee, const Arguments& arguments) {
  require_defined(callee);
  if (!is_callable(callee)) fail(fmt::format("'{}' object is not callable", type_name(callee)));
  return callee.object().call(*this, arguments);
}

Value Interpreter::evaluate_node(const FilterCall& node, const Expression& at) {
  if (node.filter == nullptr)
    fail(fmt::format("no filter named {}", quoted_text(node.name)), ErrorCode::unsupported);
  const Value subject = node.subject ? evaluate(*node.subject) : *block_text_;
  return node.filter->function(*this, subject, evaluate_arguments(node.arguments));
}

Value Interpreter::evaluate_node(const TestCall& node, const Expression& at) {
  if (node.test == nullptr)
    fail(fmt::format("no test named {}", quoted_text(node.name)), ErrorCode::unsupported);
  const Value subject = evaluate(*node.subject);
  return node.test->function(*this, subject, evaluate_arguments(node.arguments));
}

}  // namespace quern::text::jinja
