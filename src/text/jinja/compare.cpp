#include "text/jinja/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/jinja/failure.h"
#include "text/jinja/range.h"

namespace quern::text::jinja {

namespace {

using Kind = Value::Kind;

template <class T>
int sign(const T& a, const T& b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

// Exact for any pair of a 64-bit integer and a double.
int compare_numbers(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return sign(a.integer(), b.integer());
  const auto wide = [](const Value& v) {
    return v.is_integral() ? static_cast<long double>(v.integer()) : static_cast<long double>(v.number());
  };
  const long double x = wide(a), y = wide(b);
  return std::isnan(x) || std::isnan(y) ? kUnordered : sign(x, y);
}

bool equal_dicts(Heap& heap, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  return std::ranges::all_of(a.entries, [&](const auto& entry) {
    const Value* const other = b.find(entry.first);
    return other != nullptr && equal(heap, entry.second, *other);
  });
}

bool equal_ranges(Heap& heap, Range* a, Range* b) {
  return a != nullptr && b != nullptr &&
         std::ranges::equal(a->items(heap), b->items(heap), {}, &Value::integer, &Value::integer);
}

// Numbers, texts and tuples are of one rank each among keys.
int rank(const Value& key) { return key.is_number() ? 1 : static_cast<int>(key.kind()) + 2; }

}  // namespace

bool equal(Heap& heap, const Value& a, const Value& b) {
  heap.spend();
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::none:
    case Kind::undefined:
      return true;
    case Kind::text:
      heap.spend_on_text(a.text().size());
      return a.text() == b.text();
    case Kind::list:
      return a.list().form == b.list().form &&
             std::ranges::equal(a.list().items, b.list().items,
                                [&](const Value& x, const Value& y) { return equal(heap, x, y); });
    case Kind::dict:
      return equal_dicts(heap, a.dict(), b.dict());
    case Kind::object:
      return equal_ranges(heap, a.as<Range>(), b.as<Range>()) || a.same_as(b);
    default:
      return a.same_as(b);
  }
}

int compare(Heap& heap, const Value& a, const Value& b, std::string_view operation) {
  heap.spend();
  require_defined(a);
  require_defined(b);
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (a.is_text() && b.is_text()) {
    heap.spend_on_text(a.text().size());
    return sign(a.text().compare(b.text()), 0);  // UTF-8 sorts as its code points do
  }
  const bool lists = a.kind() == Kind::list && b.kind() == Kind::list && a.list().form == b.list().form &&
                     (a.is_form(List::Form::list) || a.is_form(List::Form::tuple));
  if (!lists) {
    fail(fmt::format("'{}' not supported between instances of '{}' and '{}'", operation, type_name(a),
                     type_name(b)));
  }
  const Values& x = a.list().items;
  const Values& y = b.list().items;
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    if (!equal(heap, x[i], y[i])) return compare(heap, x[i], y[i], operation);
  }
  return sign(x.size(), y.size());
}

void require_hashable(const Value& key) {
  if (key.is_form(List::Form::tuple)) {
    for (const Value& item : key.list().items) require_hashable(item);
  } else if (key.kind() == Kind::list || key.is_dict()) {
    fail(fmt::format("unhashable type: '{}'", type_name(key)));
  }
}

int compare_keys(const Value& a, const Value& b) {
  if (const int order = sign(rank(a), rank(b)); order != 0) return order;
  switch (a.kind()) {
    case Kind::boolean:
    case Kind::integer:
    case Kind::real: {
      const int order = compare_numbers(a, b);
      if (order != kUnordered) return order;
      return sign(std::isnan(a.number()), std::isnan(b.number()));
    }
    case Kind::text:
      return sign(a.text().compare(b.text()), 0);
    case Kind::list: {
      const Values& x = a.list().items;
      const Values& y = b.list().items;
      for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
        if (const int order = compare_keys(x[i], y[i]); order != 0) return order;
      }
      return sign(x.size(), y.size());
    }
    case Kind::dict:
      return sign(&a.dict(), &b.dict());  // only looked up, never stored
    case Kind::object:
      return sign(&a.object(), &b.object());
    default:
      return 0;
  }
}

}  // namespace quern::text::jinja
