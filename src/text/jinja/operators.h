// Operators of expressions, as Python has them. Integers are of 64 bits: what does not fit is a Failure.
#pragma once

#include "text/jinja/ast.h"
#include "text/jinja/value.h"

namespace quern::text::jinja {

Value apply(Heap& heap, BinaryOperator operation, const Value& left, const Value& right);
// negate or plus
Value apply(Heap& heap, UnaryOperator operation, const Value& operand);
bool apply(Heap& heap, Comparator comparator, const Value& left, const Value& right);
// item in container
bool contains(Heap& heap, const Value& container, const Value& item);

}  // namespace quern::text::jinja
