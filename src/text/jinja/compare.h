// Equality and order of values, as Python has them.
#pragma once

#include "text/jinja/value.h"

namespace quern::text::jinja {

// `a == b`: numbers by value, lists by items, dicts by entries in any order; other kinds are never equal.
bool equal(Heap& heap, const Value& a, const Value& b);
// Negative, 0 or positive for `a < b`, `a == b`, `a > b` of numbers, texts, or lists of them. Throws Failure
// that names `operation` ("<") for what Python does not order, and for NaN returns kUnordered.
int compare(Heap& heap, const Value& a, const Value& b, std::string_view operation);
inline constexpr int kUnordered = 2;

// Throws Failure unless `key` may be a key of a dict.
void require_hashable(const Value& key);
// A total order of hashable values whose 0 agrees with equality.
int compare_keys(const Value& a, const Value& b);

}  // namespace quern::text::jinja
