// How the interpreter executes statements.
#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/failure.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/loop.h"
#include "text/jinja/macro.h"
#include "text/jinja/namespace.h"
#include "text/jinja/python_text.h"
#include "text/jinja/repr.h"

namespace quern::text::jinja {

// Makes `scope` the current one for as long as it lives.
class Interpreter::Within {
 public:
  Within(Interpreter& interpreter, ScopePtr scope)
      : interpreter_(interpreter), outer_(std::exchange(interpreter.scope_, std::move(scope))) {}
  ~Within() { interpreter_.scope_ = std::move(outer_); }
  Within(const Within&) = delete;
  Within& operator=(const Within&) = delete;

 private:
  Interpreter& interpreter_;
  ScopePtr outer_;
};

// Sends the output to a text of its own for as long as it lives.
class Interpreter::Captured {
 public:
  explicit Captured(Interpreter& interpreter)
      : interpreter_(interpreter),
        text_(interpreter.heap_),
        outer_(std::exchange(interpreter.out_, &text_)),
        outer_top_(std::exchange(interpreter.top_output_, false)) {}
  ~Captured() {
    interpreter_.out_ = outer_;
    interpreter_.top_output_ = outer_top_;
  }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  Value finish() { return std::move(text_).finish(); }

 private:
  Interpreter& interpreter_;
  TextBuilder text_;
  TextBuilder* outer_;
  bool outer_top_;
};

Interpreter::Interpreter(const Limits& limits, Heap& heap, std::time_t now)
    : limits_(limits), heap_(heap), now_(now), root_(std::make_shared<Scope>(heap, nullptr)), scope_(root_) {}

Interpreter::~Interpreter() {
  for (const ScopePtr& scope : kept_scopes_) scope->names.clear();
  for (const std::shared_ptr<Object>& object : kept_objects_) object->clear();
}

std::string Interpreter::run(const Body& body) {
  TextBuilder out(heap_);
  out_ = &out;
  keep_scope();
  execute(body);
  return out.text();
}

const ScopePtr& Interpreter::keep_scope() {
  kept_scopes_.push_back(scope_);
  return scope_;
}

void Interpreter::write(const Value& value) {
  *out_ += value.is_text() ? std::string_view(value.text()) : std::string_view(to_string(heap_, value));
  if (out_->text().size() > limits_.output) {
    fail(fmt::format("the template writes more than {} bytes", limits_.output), ErrorCode::out_of_memory);
  }
}

Interpreter::Flow Interpreter::execute(const Body& body) {
  const Heap::Level level(heap_);
  for (const Statement& statement : body) {
    heap_.spend();
    try {
      const Flow flow = std::visit([&](const auto& node) { return execute_node(node); }, statement.node);
      if (flow != Flow::next) return flow;
    } catch (Failure& failure) {
      if (!failure.at) failure.at = statement.at;
      throw;
    }
  }
  return Flow::next;
}

Interpreter::Flow Interpreter::execute_in(const Body& body, ScopePtr scope) {
  const Within within(*this, std::move(scope));
  return execute(body);
}

Interpreter::Flow Interpreter::capture(const Body& body, Value& text) {
  Captured captured(*this);
  const Flow flow = execute_in(body, new_scope());
  text = captured.finish();
  return flow;
}

Interpreter::Flow Interpreter::execute_node(const Data& node) {
  *out_ += node.text;
  return Flow::next;
}

Interpreter::Flow Interpreter::execute_node(const Output& node) {
  write(evaluate(*node.value));
  return Flow::next;
}

Interpreter::Flow Interpreter::execute_node(const If& node) {
  for (const auto& [condition, body] : node.branches) {
    if (truth(evaluate(*condition))) return execute(body);
  }
  return execute(node.otherwise);
}

Interpreter::Flow Interpreter::execute_node(const For& node) {
  const Value items = evaluate(*node.items);
  if (node.recursive) {
    write(call_loop(node, keep_scope(), items, 0));
  } else {
    return run_loop(node, items, 0);
  }
  return Flow::next;
}

Value Interpreter::call_loop(const For& loop, const ScopePtr& outside, const Value& items, int depth) {
  const Heap::Level level(heap_);
  const Within within(*this, outside);
  Captured captured(*this);
  run_loop(loop, items, depth);
  return captured.finish();
}

std::shared_ptr<const List> Interpreter::filter_items(const For& node, std::shared_ptr<const List> items) {
  if (!node.condition) return items;
  Values kept;
  for (const Value& item : items->items) {
    const Within within(*this, new_scope());
    assign(node.target, item);
    if (truth(evaluate(*node.condition))) kept.push_back(item);
  }
  return make_list(heap_, std::move(kept)).shared_list();
}

Interpreter::Flow Interpreter::run_loop(const For& node, const Value& iterable, int depth) {
  const auto items = filter_items(node, sequence_of(heap_, iterable));
  const auto loop = make_object<Loop>(heap_, node, node.recursive ? scope_ : nullptr, items, depth);
  bool completed = false;  // some round ran to its end: what Jinja asks before the else
  for (size_t i = 0; i < items->items.size(); ++i) {
    loop->go_to(i);
    const Within within(*this, new_scope());
    scope_->set("loop", Value(loop));
    assign(node.target, items->items[i]);
    const Flow flow = execute(node.body);
    completed = completed || flow == Flow::next;
    if (flow == Flow::leave_loop) break;
  }
  return completed ? Flow::next : execute_in(node.otherwise, new_scope());
}

void Interpreter::assign(const Target& target, Value value) {
  heap_.spend();
  if (target.parts) {
    const auto values = sequence_of(heap_, value);
    if (values->items.size() != target.parts->size()) {
      fail(fmt::format("{} values to unpack: expected {}, got {}",
                       values->items.size() < target.parts->size() ? "not enough" : "too many",
                       target.parts->size(), values->items.size()));
    }
    for (size_t i = 0; i < values->items.size(); ++i) assign((*target.parts)[i], values->items[i]);
  } else if (!target.attribute.empty()) {
    const Value* const owner = scope_->find(target.name);
    auto* const space = owner == nullptr ? nullptr : owner->as<Namespace>();
    if (space == nullptr) fail("cannot assign attribute on non-namespace object");
    space->set(heap_, target.attribute, std::move(value));
  } else {
    heap_.spend(scope_->names.size() / 16);  // names are searched one by one
    scope_->set(target.name, std::move(value));
  }
}

Interpreter::Flow Interpreter::execute_node(const Set& node) {
  assign(node.target, evaluate(*node.value));
  return Flow::next;
}

Value Interpreter::filter_text(const Expression& filters, Value text) {
  const Value* const outer = std::exchange(block_text_, &text);
  Value result = evaluate(filters);
  block_text_ = outer;
  return result;
}

Interpreter::Flow Interpreter::execute_node(const SetBlock& node) {
  Value text;
  if (const Flow flow = capture(node.body, text); flow != Flow::next) return flow;
  assign(node.target, node.filter ? filter_text(*node.filter, std::move(text)) : std::move(text));
  return Flow::next;
}

Interpreter::Flow Interpreter::execute_node(const FilterBlock& node) {
  Value text;
  if (const Flow flow = capture(node.body, text); flow != Flow::next) return flow;
  write(filter_text(*node.filter, std::move(text)));
  return Flow::next;
}

Interpreter::Flow Interpreter::execute_node(const With& node) {
  ScopePtr inner = new_scope();
  for (const auto& [target, expression] : node.assignments) {
    Value value = evaluate(*expression);
    const Within within(*this, inner);
    assign(target, std::move(value));
  }
  return execute_in(node.body, std::move(inner));
}

Interpreter::Flow Interpreter::execute_node(const Generation& node) {
  const size_t begin = out_->text().size();
  execute_in(node.body, new_scope());
  if (top_output_) generated_.emplace_back(begin, out_->text().size());
  return Flow::next;
}

Interpreter::Flow Interpreter::execute_node(const Block& node) {
  execute_in(node.body, std::make_shared<Scope>(heap_, root_));
  return Flow::next;
}

Interpreter::Flow Interpreter::execute_node(const Macro& node) {
  scope_->set(node.definition.name, Value(make_object<MacroFunction>(heap_, node.definition, keep_scope())));
  return Flow::next;
}

Interpreter::Flow Interpreter::execute_node(const CallBlock& node) {
  const Value caller(make_object<MacroFunction>(heap_, node.caller, keep_scope()));
  const Heap::Level level(heap_);
  write(evaluate_call(std::get<Call>(node.call->node), &caller));
  return Flow::next;
}

Value Interpreter::call_macro(const MacroDefinition& macro, const ScopePtr& closure,
                              const Arguments& arguments) {
  const Heap::Level level(heap_);
  auto named = arguments.named;
  const auto take_named = [&](std::string_view name, Value& value) {
    heap_.spend(1 + named.size() / 16);
    const auto found =
        std::ranges::find(named, name, [](const auto& entry) -> std::string_view { return entry.first; });
    if (found == named.end()) return false;
    value = std::move(found->second);
    named.erase(found);
    return true;
  };
  const size_t count = macro.parameters.size();
  const size_t given = std::min(count, arguments.positional.size());
  const Within within(*this, std::make_shared<Scope>(heap_, closure));
  std::vector<bool> missing(count, false);
  for (size_t i = 0; i < count; ++i) {
    heap_.spend(1 + i / 16);
    const std::string& name = macro.parameters[i];
    Value value;
    missing[i] = i >= given && !take_named(name, value);
    if (i < given) value = arguments.positional[i];
    if (missing[i]) {
      value = make_undefined(heap_, fmt::format("parameter {} was not provided", quoted_text(name)));
    }
    scope_->set(name, std::move(value));
  }
  if (macro.uses_caller) {
    Value caller;
    if (!take_named("caller", caller)) caller = make_undefined(heap_, "no caller defined");
    scope_->set("caller", std::move(caller));
  }
  if (macro.uses_kwargs) {
    std::vector<std::pair<Value, Value>> entries;
    for (auto& [name, value] : named) entries.emplace_back(make_text(heap_, name), std::move(value));
    scope_->set("kwargs", make_dict(&heap_, std::move(entries)));
  } else if (!named.empty()) {
    fail(fmt::format("macro {} takes no keyword argument {}", quoted_text(macro.name),
                     quoted_text(named[0].first)));
  }
  if (macro.uses_varargs) {
    scope_->set("varargs",
                make_tuple(heap_, Values(arguments.positional.begin() + static_cast<ptrdiff_t>(given),
                                         arguments.positional.end())));
  } else if (arguments.positional.size() > count) {
    fail(fmt::format("macro {} takes not more than {} argument(s)", quoted_text(macro.name), count));
  }
  const size_t required = count - macro.defaults.size();
  for (size_t i = required; i < count; ++i) {
    if (missing[i]) scope_->set(macro.parameters[i], evaluate(*macro.defaults[i - required]));
  }
  Captured captured(*this);
  execute(macro.body);
  return captured.finish();
}

}  // namespace quern::text::jinja
