// Filters that choose or map items, or choose a value.
#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/attributes.h"
#include "text/jinja/compare.h"
#include "text/jinja/failure.h"
#include "text/jinja/filters.h"
#include "text/jinja/generator.h"
#include "text/jinja/group.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/predicates.h"
#include "text/jinja/python_text.h"
#include "text/jinja/repr.h"

namespace quern::text::jinja {

namespace {

// The filter or test that the argument `index` names, and the arguments after it.
std::pair<const Builtin*, Arguments> named_builtin(const Builtin* (*find)(std::string_view),
                                                   std::string_view what, const Arguments& arguments,
                                                   size_t index) {
  const Value& name = arguments.positional[index];
  const Builtin* const found = name.is_text() ? find(name.text()) : nullptr;
  if (found == nullptr) fail(fmt::format("no {} named {}", what, brief_repr(name)), ErrorCode::unsupported);
  const auto rest = arguments.positional.begin() + static_cast<ptrdiff_t>(index) + 1;
  return {found, Arguments{Values(rest, arguments.positional.end()), arguments.named}};
}

Value map_attribute(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("map", Arguments{{}, arguments.named}, {"attribute", "default"}, 1);
  Heap& heap = interpreter.heap();
  const AttributePath path(heap, bound[0]);
  const auto sequence = sequence_of(heap, subject);
  Values mapped;
  for (const Value& item : sequence->items) {
    mapped.push_back(path.of(heap, item, bound[1].is_none() ? nullptr : &bound[1]));
  }
  return make_generator(heap, std::move(mapped));
}

Value map(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const bool by_attribute =
      arguments.positional.empty() &&
      std::ranges::any_of(arguments.named, [](const auto& entry) { return entry.first == "attribute"; });
  if (!truth(subject)) return make_generator(interpreter.heap(), {});
  if (by_attribute) return map_attribute(interpreter, subject, arguments);
  if (arguments.positional.empty()) fail("map requires a filter argument");
  const auto [filter, rest] = named_builtin(find_filter, "filter", arguments, 0);
  const auto sequence = sequence_of(interpreter.heap(), subject);
  Values mapped;
  for (const Value& item : sequence->items) {
    interpreter.heap().spend();
    mapped.push_back(filter->function(interpreter, item, rest));
  }
  return make_generator(interpreter.heap(), std::move(mapped));
}

// The items whose own value, or whose attribute, passes a test or is true.
template <bool wanted, bool of_attribute>
Value select(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!truth(subject)) return make_generator(heap, {});
  if (of_attribute && arguments.positional.empty()) fail("missing parameter for attribute name");
  const AttributePath path(heap, of_attribute ? arguments.positional[0] : Value());
  const size_t test_index = of_attribute ? 1 : 0;
  const bool has_test = arguments.positional.size() > test_index;
  const auto [test, rest] = has_test ? named_builtin(find_predicate, "test", arguments, test_index)
                                     : std::pair<const Builtin*, Arguments>();
  const auto sequence = sequence_of(heap, subject);
  Values selected;
  for (const Value& item : sequence->items) {
    heap.spend();
    const Value value = path.of(heap, item);
    if (truth(test == nullptr ? value : test->function(interpreter, value, rest)) == wanted) {
      selected.push_back(item);
    }
  }
  return make_generator(heap, std::move(selected));
}

Value default_value(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("default", arguments, {"default_value", "boolean"});
  const bool replaced = subject.is_undefined() || (bound.flag(1) && !truth(subject));
  if (!replaced) return subject;
  return bound.has(0) ? bound[0] : make_text(interpreter.heap(), "");
}

Value attribute(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("attr", arguments, {"name"}, 1);
  Heap& heap = interpreter.heap();
  // Only what is an attribute in Python: the items of a dict are none.
  const Value found = subject.is_dict() && subject.dict().find(bound.text(0)) != nullptr
                          ? get_attribute(heap, make_dict(&heap, {}), bound.text(0))
                          : get_attribute(heap, subject, bound.text(0));
  return found;
}

// Pairs of a value of the attribute and the list of items that have it, in the order of the values.
Value group_by(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  Heap& heap = interpreter.heap();
  const AttributePath path(heap, bound[0]);
  const Value* const otherwise = bound[1].is_none() ? nullptr : &bound[1];
  const auto fold = [&](const Value& value) {
    return bound.flag(2) || !value.is_text() ? value : make_text(&heap, to_lower(value.text()));
  };
  const auto sequence = sequence_of(heap, subject);
  std::vector<std::pair<Value, Value>> keyed;  // folded key, item
  for (const Value& item : sequence->items) keyed.emplace_back(fold(path.of(heap, item, otherwise)), item);
  for (size_t i = 1; i < keyed.size(); ++i) compare(heap, keyed[i].first, keyed[i - 1].first, "<");
  std::ranges::stable_sort(
      keyed, [&](const auto& a, const auto& b) { return compare(heap, a.first, b.first, "<") == -1; });
  Values groups;
  for (size_t begin = 0; begin < keyed.size();) {
    size_t end = begin;
    Values members;
    while (end < keyed.size() && equal(heap, keyed[end].first, keyed[begin].first))
      members.push_back(keyed[end++].second);
    Value key = path.of(heap, keyed[begin].second, otherwise);
    groups.push_back(make_object<Group>(heap, std::move(key), make_list(heap, std::move(members))));
    begin = end;
  }
  return make_list(heap, std::move(groups));
}

constexpr Builtin kSelectionFilters[] = {
    {"map", map},
    {"select", select<true, false>},
    {"reject", select<false, false>},
    {"selectattr", select<true, true>},
    {"rejectattr", select<false, true>},
    {"default", default_value},
    {"d", default_value},
    {"attr", attribute},
    {"groupby", group_by},
};

}  // namespace

Builtins selection_filters() { return kSelectionFilters; }

}  // namespace quern::text::jinja
