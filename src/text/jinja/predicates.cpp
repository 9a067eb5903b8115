#include "text/jinja/predicates.h"

#include <fmt/format.h>

#include "text/jinja/failure.h"
#include "text/jinja/filters.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/jinja/repr.h"

namespace quern::text::jinja {

namespace {

using Kind = Value::Kind;

// A test without arguments.
template <bool (*test)(const Value&)>
Value of_value(Interpreter&, const Value& subject, const Arguments& arguments) {
  const Bound bound("a test", arguments, {});
  return test(subject);
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_boolean(const Value& value) { return value.kind() == Kind::boolean; }
bool is_true(const Value& value) { return is_boolean(value) && value.boolean(); }
bool is_false(const Value& value) { return is_boolean(value) && !value.boolean(); }
bool is_integer(const Value& value) { return value.kind() == Kind::integer; }
bool is_float(const Value& value) { return value.kind() == Kind::real; }
bool is_number(const Value& value) { return value.is_number(); }
bool is_string(const Value& value) { return value.is_text(); }
bool is_mapping(const Value& value) { return value.is_dict(); }
bool is_escaped(const Value& value) { return value.is_markup(); }
bool is_sequence(const Value& value) {
  if (value.kind() == Kind::list) return value.list().form <= List::Form::tuple;
  if (value.kind() == Kind::object) return value.object().iterable() && value.object().length().has_value();
  return value.is_text() || value.is_dict() || value.is_undefined();
}
// Undefined has all methods of Python, so it seems; calling them is what fails.
bool is_callable_test(const Value& value) { return is_callable(value) || value.is_undefined(); }

Value is_filter(Interpreter&, const Value& subject, const Arguments& arguments) {
  const Bound bound("filter", arguments, {});
  return subject.is_text() && find_filter(subject.text()) != nullptr;
}

Value is_test(Interpreter&, const Value& subject, const Arguments& arguments) {
  const Bound bound("test", arguments, {});
  return subject.is_text() && find_predicate(subject.text()) != nullptr;
}

template <bool upper>
Value in_case(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound(upper ? "upper" : "lower", arguments, {});
  return *classify(to_string(interpreter.heap(), subject), upper ? "isupper" : "islower");
}

bool remainder_is(Heap& heap, const Value& subject, const Value& divisor, int64_t wanted) {
  const Value rest = apply(heap, BinaryOperator::modulo, subject, divisor);
  return apply(heap, Comparator::equal, rest, Value(wanted));
}

Value is_odd(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("odd", arguments, {});
  return remainder_is(interpreter.heap(), subject, Value(2), 1);
}

Value is_even(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("even", arguments, {});
  return remainder_is(interpreter.heap(), subject, Value(2), 0);
}

Value is_divisible(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("divisibleby", arguments, {"num"}, 1);
  return remainder_is(interpreter.heap(), subject, bound[0], 0);
}

Value is_same(Interpreter&, const Value& subject, const Arguments& arguments) {
  const Bound bound("sameas", arguments, {"other"}, 1);
  return subject.same_as(bound[0]);
}

template <Comparator comparator>
Value compared(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("a comparison", arguments, {"other"}, 1);
  return apply(interpreter.heap(), comparator, subject, bound[0]);
}

constexpr Builtin kPredicates[] = {
    {"defined", of_value<is_defined>},
    {"undefined", of_value<is_undefined>},
    {"none", of_value<is_none>},
    {"string", of_value<is_string>},
    {"mapping", of_value<is_mapping>},
    {"sequence", of_value<is_sequence>},
    {"iterable", of_value<is_iterable>},
    {"number", of_value<is_number>},
    {"integer", of_value<is_integer>},
    {"float", of_value<is_float>},
    {"boolean", of_value<is_boolean>},
    {"true", of_value<is_true>},
    {"false", of_value<is_false>},
    {"callable", of_value<is_callable_test>},
    {"escaped", of_value<is_escaped>},
    {"filter", is_filter},
    {"test", is_test},
    {"lower", in_case<false>},
    {"upper", in_case<true>},
    {"odd", is_odd},
    {"even", is_even},
    {"divisibleby", is_divisible},
    {"sameas", is_same},
    {"in", compared<Comparator::in>},
    {"==", compared<Comparator::equal>},
    {"eq", compared<Comparator::equal>},
    {"equalto", compared<Comparator::equal>},
    {"!=", compared<Comparator::not_equal>},
    {"ne", compared<Comparator::not_equal>},
    {">", compared<Comparator::greater>},
    {"gt", compared<Comparator::greater>},
    {"greaterthan", compared<Comparator::greater>},
    {">=", compared<Comparator::greater_equal>},
    {"ge", compared<Comparator::greater_equal>},
    {"<", compared<Comparator::less>},
    {"lt", compared<Comparator::less>},
    {"lessthan", compared<Comparator::less>},
    {"<=", compared<Comparator::less_equal>},
    {"le", compared<Comparator::less_equal>},
};

}  // namespace

const Builtin* find_predicate(std::string_view name) { return find_builtin(kPredicates, name); }

}  // namespace quern::text::jinja
