// Methods of lists, tuples, ranges and dicts.
#include <fmt/format.h>

#include "text/jinja/attributes.h"
#include "text/jinja/compare.h"
#include "text/jinja/failure.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/methods.h"
#include "text/jinja/repr.h"

namespace quern::text::jinja {

namespace {

Value count_of_list(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("count", arguments, {"value"}, 1);
  const auto items = sequence_of(interpreter.heap(), self);
  int64_t found = 0;
  for (const Value& item : items->items) found += equal(interpreter.heap(), item, bound[0]);
  return found;
}

Value index(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("index", arguments, {"value", "start", "stop"}, 1);
  const auto items = sequence_of(interpreter.heap(), self);
  const SlicePlaces places = slice_places(std::ssize(items->items), bound[1], bound[2], Value());
  for (int64_t i = places.start; i < places.start + places.count; ++i) {
    if (equal(interpreter.heap(), items->items[static_cast<size_t>(i)], bound[0])) return i;
  }
  fail(fmt::format("{} is not in {}", brief_repr(bound[0]), type_name(self)));
}

Value copy(Interpreter&, const Value& self, const Arguments& arguments) {
  const Bound bound("copy", arguments, {});
  return self;
}

constexpr Builtin kListMethods[] = {{"count", count_of_list}, {"index", index}, {"copy", copy}};

template <class Item>
Value view(Interpreter& interpreter, const Value& self, const Arguments& arguments, std::string_view name,
           List::Form form, Item item) {
  const Bound bound(name, arguments, {});
  interpreter.heap().spend(self.dict().entries.size());
  Values items;
  for (const auto& entry : self.dict().entries) items.push_back(item(entry));
  return make_list(&interpreter.heap(), std::move(items), form);
}

Value keys(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  return view(interpreter, self, arguments, "keys", List::Form::dict_keys,
              [](const auto& entry) { return entry.first; });
}

Value values(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  return view(interpreter, self, arguments, "values", List::Form::dict_values,
              [](const auto& entry) { return entry.second; });
}

Value items_of_dict(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  return view(interpreter, self, arguments, "items", List::Form::dict_items, [&](const auto& entry) {
    return make_tuple(interpreter.heap(), {entry.first, entry.second});
  });
}

Value get(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("get", arguments, {"key", "default"}, 1);
  require_hashable(bound[0]);
  if (bound[0].is_text()) interpreter.heap().spend_on_text(bound[0].text().size());
  const Value* const found = self.dict().find(bound[0]);
  return found == nullptr ? bound[1] : *found;
}

Value from_keys(Interpreter& interpreter, const Value&, const Arguments& arguments) {
  const Bound bound("fromkeys", arguments, {"iterable", "value"}, 1);
  const auto names = sequence_of(interpreter.heap(), bound[0]);
  std::vector<std::pair<Value, Value>> entries;
  for (const Value& name : names->items) entries.emplace_back(name, bound[1]);
  return make_dict(&interpreter.heap(), std::move(entries));
}

constexpr Builtin kDictMethods[] = {{"get", get},       {"items", items_of_dict}, {"keys", keys},
                                    {"values", values}, {"copy", copy},           {"fromkeys", from_keys}};

}  // namespace

Builtins list_methods() { return kListMethods; }
Builtins dict_methods() { return kDictMethods; }

}  // namespace quern::text::jinja
