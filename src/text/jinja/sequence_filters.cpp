// Filters of lists and dicts: order, size, parts.
#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/attributes.h"
#include "text/jinja/compare.h"
#include "text/jinja/failure.h"
#include "text/jinja/filters.h"
#include "text/jinja/generator.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/methods.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"

namespace quern::text::jinja {

namespace {

Value length(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("length", arguments, {});
  const std::optional<int64_t> result = length_of(interpreter.heap(), subject);
  if (!result) fail(fmt::format("object of type '{}' has no len()", type_name(subject)));
  return *result;
}

Value list(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("list", arguments, {});
  return make_list(interpreter.heap(), sequence_of(interpreter.heap(), subject)->items);
}

Value first(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("first", arguments, {});
  const auto items = sequence_of(interpreter.heap(), subject);
  if (items->items.empty()) return make_undefined(interpreter.heap(), "no first item, sequence was empty");
  return items->items.front();
}

// Sequences that Python can walk backwards.
void require_reversible(const Value& subject) {
  require_defined(subject);
  const bool once = subject.kind() == Value::Kind::object && !subject.object().length();
  if (!is_iterable(subject) || once) fail(fmt::format("'{}' object is not reversible", type_name(subject)));
}

Value last(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("last", arguments, {});
  require_reversible(subject);
  const auto items = sequence_of(interpreter.heap(), subject);
  if (items->items.empty()) return make_undefined(interpreter.heap(), "no last item, sequence was empty");
  return items->items.back();
}

Value reverse(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("reverse", arguments, {});
  if (subject.is_text()) return get_slice(interpreter.heap(), subject, Value(), Value(), Value(-1));
  Values items = sequence_of(interpreter.heap(), subject)->items;
  std::ranges::reverse(items);
  return make_generator(interpreter.heap(), std::move(items));
}

Value items(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("items", arguments, {});
  if (subject.is_undefined()) return make_generator(interpreter.heap(), {});
  if (!subject.is_dict()) fail("can only get item pairs from a mapping");
  const Value pairs = find_builtin(dict_methods(), "items")->function(interpreter, subject, {});
  return make_generator(interpreter.heap(), pairs.list().items);
}

// Text in lower case unless `case_sensitive`.
Value folded(Heap& heap, const Value& value, bool case_sensitive) {
  return case_sensitive || !value.is_text() ? value : make_text(&heap, to_lower(value.text()));
}

// Sorts items by keys, both in the same order; equal ones keep their order, also when `reverse`.
Values sorted(Heap& heap, const Values& items, const Values& keys, bool reverse) {
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  // What cannot be ordered fails before the sort, which must not see an exception.
  for (size_t i = 1; i < keys.size(); ++i) compare(heap, keys[i], keys[i - 1], "<");
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return compare(heap, keys[a], keys[b], "<") == (reverse ? 1 : -1);
  });
  Values result;
  for (const size_t index : order) result.push_back(items[index]);
  return result;
}

Value sort(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  Heap& heap = interpreter.heap();
  std::vector<AttributePath> paths;
  if (bound[2].is_text()) {
    for (const std::string_view path : split_at(bound.text(2), ",", -1)) {
      paths.emplace_back(heap, make_text(heap, path));
    }
  } else {
    paths.emplace_back(heap, bound[2]);
  }
  const auto sequence = sequence_of(heap, subject);
  Values keys;
  for (const Value& item : sequence->items) {
    Values parts;
    for (const AttributePath& path : paths) parts.push_back(folded(heap, path.of(heap, item), bound.flag(1)));
    keys.push_back(make_list(heap, std::move(parts)));
  }
  return make_list(heap, sorted(heap, sequence->items, keys, bound.flag(0)));
}

Value sort_dict(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  Heap& heap = interpreter.heap();
  require_defined(subject);
  const std::string_view by = bound.text(1, "key");
  if (by != "key" && by != "value") fail("you can only sort by either \"key\" or \"value\"");
  if (!subject.is_dict()) fail(fmt::format("'{}' object has no attribute 'items'", type_name(subject)));
  Values pairs, keys;
  for (const auto& [key, value] : subject.dict().entries) {
    pairs.push_back(make_tuple(heap, {key, value}));
    keys.push_back(folded(heap, by == "key" ? key : value, bound.flag(0)));
  }
  return make_list(heap, sorted(heap, pairs, keys, bound.flag(2)));
}

Value unique(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("unique", arguments, {"case_sensitive", "attribute"});
  Heap& heap = interpreter.heap();
  const AttributePath path(heap, bound[1]);
  const auto sequence = sequence_of(heap, subject);
  const auto before = [](const Value& a, const Value& b) { return compare_keys(a, b) < 0; };
  std::vector<std::pair<Value, size_t>> keys;
  for (size_t i = 0; i < sequence->items.size(); ++i) {
    keys.emplace_back(folded(heap, path.of(heap, sequence->items[i]), bound.flag(0)), i);
    require_hashable(keys.back().first);
    if (keys.back().first.is_text()) heap.spend(keys.back().first.text().size() / 16);
  }
  std::ranges::stable_sort(keys, before, &std::pair<Value, size_t>::first);
  std::vector<size_t> kept;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i == 0 || before(keys[i - 1].first, keys[i].first)) kept.push_back(keys[i].second);
  }
  std::ranges::sort(kept);
  Values result;
  for (const size_t index : kept) result.push_back(sequence->items[index]);
  return make_generator(heap, std::move(result));
}

template <bool largest>
Value extreme(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound(largest ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  Heap& heap = interpreter.heap();
  const auto sequence = sequence_of(heap, subject);
  if (sequence->items.empty()) return make_undefined(heap, "no aggregated item, sequence was empty");
  const AttributePath path(heap, bound[1]);
  const auto key_of = [&](const Value& item) { return folded(heap, path.of(heap, item), bound.flag(0)); };
  Value best = sequence->items[0], best_key = key_of(best);
  for (size_t i = 1; i < sequence->items.size(); ++i) {
    Value key = key_of(sequence->items[i]);
    if (compare(heap, key, best_key, largest ? ">" : "<") == (largest ? 1 : -1)) {
      best = sequence->items[i];
      best_key = std::move(key);
    }
  }
  return best;
}

Value sum(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("sum", arguments, {"attribute", "start"});
  Heap& heap = interpreter.heap();
  const AttributePath path(heap, bound[0]);
  const auto sequence = sequence_of(heap, subject);
  Value total = bound.has(1) ? bound[1] : Value(0);
  if (total.is_text()) fail("sum() can't sum strings [use ''.join(seq) instead]");
  for (const Value& item : sequence->items) {
    total = apply(heap, BinaryOperator::add, total, path.of(heap, item));
  }
  return total;
}

// Lists of `count` items; the last is filled up.
Value batch(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("batch", arguments, {"linecount", "fill_with"}, 1);
  Heap& heap = interpreter.heap();
  const auto sequence = sequence_of(heap, subject);
  const int64_t count = bound.integer(0);
  Values batches, current;
  for (const Value& item : sequence->items) {
    if (std::ssize(current) == count) batches.push_back(make_list(heap, std::exchange(current, {})));
    current.push_back(item);
  }
  if (!current.empty()) {
    if (!bound[1].is_none() && std::ssize(current) < count) {
      const auto missing = static_cast<uint64_t>(count - std::ssize(current));
      heap.spend(missing);
      current.insert(current.end(), missing, bound[1]);
    }
    batches.push_back(make_list(heap, std::move(current)));
  }
  return make_generator(heap, std::move(batches));
}

// `count` lists that share the items out evenly.
Value slice(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("slice", arguments, {"slices", "fill_with"}, 1);
  Heap& heap = interpreter.heap();
  const auto sequence = sequence_of(heap, subject);
  const int64_t count = bound.integer(0), total = std::ssize(sequence->items);
  if (count == 0) fail("integer division or modulo by zero");
  heap.spend(static_cast<uint64_t>(std::max<int64_t>(count, 0)));
  Values slices;
  auto next = sequence->items.begin();
  for (int64_t i = 0; i < count; ++i) {
    const bool longer = i < total % count;
    const auto end = next + total / count + longer;
    Values part(next, end);
    if (!longer && !bound[1].is_none()) part.push_back(bound[1]);
    slices.push_back(make_list(heap, std::move(part)));
    next = end;
  }
  return make_generator(heap, std::move(slices));
}

constexpr Builtin kSequenceFilters[] = {
    {"length", length}, {"count", length},       {"list", list},          {"first", first},
    {"last", last},     {"reverse", reverse},    {"items", items},        {"sort", sort},
    {"unique", unique}, {"dictsort", sort_dict}, {"min", extreme<false>}, {"max", extreme<true>},
    {"sum", sum},       {"batch", batch},        {"slice", slice},
};

}  // namespace

Builtins sequence_filters() { return kSequenceFilters; }

}  // namespace quern::text::jinja
