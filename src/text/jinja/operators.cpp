#include "text/jinja/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/jinja/compare.h"
#include "text/jinja/failure.h"
#include "text/jinja/format.h"
#include "text/jinja/markup.h"
#include "text/jinja/python_text.h"

namespace quern::text::jinja {

namespace {

using Kind = Value::Kind;

constexpr std::string_view symbol_of(BinaryOperator operation) {
  constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "//", "%", "**"};
  return kSymbols[static_cast<size_t>(operation)];
}

[[noreturn]] void fail_overflow() {
  fail("an integer past 64 bits, which are all this interpreter has", ErrorCode::unsupported);
}
[[noreturn]] void fail_zero() { fail("division by zero"); }

// By reference, because the call that tells of the overflow writes the value.
int64_t checked(bool overflow, const int64_t& value) {
  if (overflow) fail_overflow();
  return value;
}

int64_t floor_divide(int64_t a, int64_t b) {
  if (b == 0) fail_zero();
  if (a == INT64_MIN && b == -1) fail_overflow();
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

// The remainder has the sign of the divisor.
int64_t modulo(int64_t a, int64_t b) {
  if (b == 0) fail_zero();
  if (b == -1) return 0;
  const int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

double modulo(double a, double b) {
  if (b == 0) fail_zero();
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

double floor_divide(double a, double b) {
  if (b == 0) fail_zero();
  const double rest = modulo(a, b);
  const double quotient = (a - rest) / b;
  return quotient == 0 ? std::copysign(0.0, a / b) : std::round(quotient);
}

int64_t integer_power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  bool overflow = false;
  while (exponent > 0) {
    if (exponent % 2 == 1) overflow = __builtin_mul_overflow(result, base, &result) || overflow;
    exponent /= 2;
    if (exponent > 0) {
      // A square that overflows matters only when it is used: there is a factor left, and it is not 0 or 1.
      overflow = __builtin_mul_overflow(base, base, &base) || overflow;
    }
    if (overflow) fail_overflow();
  }
  return result;
}

double real_power(double base, double exponent) {
  if (base == 0 && exponent < 0) fail("0.0 cannot be raised to a negative power");
  if (base < 0 && std::floor(exponent) != exponent && std::isfinite(base) && std::isfinite(exponent)) {
    fail("a negative number raised to a fraction is complex", ErrorCode::unsupported);
  }
  const double result = std::pow(base, exponent);
  if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent))
    fail("numerical result out of range");
  return result;
}

Value apply_to_integers(BinaryOperator operation, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (operation) {
    case BinaryOperator::add:
      return checked(__builtin_add_overflow(a, b, &result), result);
    case BinaryOperator::subtract:
      return checked(__builtin_sub_overflow(a, b, &result), result);
    case BinaryOperator::multiply:
      return checked(__builtin_mul_overflow(a, b, &result), result);
    case BinaryOperator::divide:
      if (b == 0) fail_zero();
      return static_cast<double>(static_cast<long double>(a) / static_cast<long double>(b));
    case BinaryOperator::floor_divide:
      return floor_divide(a, b);
    case BinaryOperator::modulo:
      return modulo(a, b);
    case BinaryOperator::power:
      break;
  }
  return b < 0 ? Value(real_power(static_cast<double>(a), static_cast<double>(b)))
               : Value(integer_power(a, b));
}

Value apply_to_reals(BinaryOperator operation, double a, double b) {
  switch (operation) {
    case BinaryOperator::add:
      return a + b;
    case BinaryOperator::subtract:
      return a - b;
    case BinaryOperator::multiply:
      return a * b;
    case BinaryOperator::divide:
      if (b == 0) fail_zero();
      return a / b;
    case BinaryOperator::floor_divide:
      return floor_divide(a, b);
    case BinaryOperator::modulo:
      return modulo(a, b);
    case BinaryOperator::power:
      break;
  }
  return real_power(a, b);
}

bool is_plain_sequence(const Value& value) {
  return value.is_form(List::Form::list) || value.is_form(List::Form::tuple);
}

Value repeat(Heap& heap, const Value& sequence, int64_t times) {
  const auto count = static_cast<uint64_t>(std::max<int64_t>(times, 0));
  if (sequence.is_text()) {
    TextBuilder out(heap);
    out.append_repeated(sequence.text(), count);
    return std::move(out).finish(sequence.is_markup());
  }
  const List& list = sequence.list();
  uint64_t total = 0;
  if (__builtin_mul_overflow(count, list.items.size() * sizeof(Value), &total)) total = UINT64_MAX;
  const Charge ahead(&heap, total);
  heap.spend(total / sizeof(Value));
  Values items;
  for (uint64_t i = 0; i < count && !list.items.empty(); ++i) {
    items.insert(items.end(), list.items.begin(), list.items.end());
  }
  return make_list(&heap, std::move(items), list.form);
}

Value join(Heap& heap, const List& left, const List& right) {
  const Charge ahead(&heap, (left.items.size() + right.items.size()) * sizeof(Value));
  heap.spend(left.items.size() + right.items.size());
  Values items = left.items;
  items.insert(items.end(), right.items.begin(), right.items.end());
  return make_list(&heap, std::move(items), left.form);
}

Value add_texts(Heap& heap, const Value& left, const Value& right) {
  const bool markup = left.is_markup() || right.is_markup();
  TextBuilder out(heap);
  for (const Value* part : {&left, &right}) {
    out += markup && !part->is_markup() ? std::string_view(escape(part->text()))
                                        : std::string_view(part->text());
  }
  return std::move(out).finish(markup);
}

bool holds_text(const Value& container, const Value& item) {
  if (!item.is_text()) {
    fail(fmt::format("'in <string>' requires string as left operand, not {}", type_name(item)));
  }
  return find_text(container.text(), item.text()) != std::string_view::npos;
}

}  // namespace

Value apply(Heap& heap, BinaryOperator operation, const Value& left, const Value& right) {
  require_defined(left);
  if (operation == BinaryOperator::modulo && left.is_text()) return format_percent(heap, left, right);
  require_defined(right);
  if (left.is_number() && right.is_number()) {
    return left.is_integral() && right.is_integral()
               ? apply_to_integers(operation, left.integer(), right.integer())
               : apply_to_reals(operation, left.number(), right.number());
  }
  if (operation == BinaryOperator::add) {
    if (left.is_text() && right.is_text()) return add_texts(heap, left, right);
    if (is_plain_sequence(left) && right.is_form(left.list().form))
      return join(heap, left.list(), right.list());
  }
  if (operation == BinaryOperator::multiply) {
    const auto repeatable = [](const Value& value) { return value.is_text() || is_plain_sequence(value); };
    if (repeatable(left) && right.is_integral()) return repeat(heap, left, right.integer());
    if (left.is_integral() && repeatable(right)) return repeat(heap, right, left.integer());
  }
  fail(fmt::format("unsupported operand types for {}: '{}' and '{}'", symbol_of(operation), type_name(left),
                   type_name(right)));
}

Value apply(Heap& heap, UnaryOperator operation, const Value& operand) {
  require_defined(operand);
  const bool negate = operation == UnaryOperator::negate;
  if (operand.kind() == Kind::real) return negate ? -operand.number() : operand.number();
  if (!operand.is_integral()) {
    fail(fmt::format("bad operand type for unary {}: '{}'", negate ? '-' : '+', type_name(operand)));
  }
  if (!negate) return operand.integer();
  int64_t result = 0;
  return checked(__builtin_sub_overflow(int64_t{0}, operand.integer(), &result), result);
}

bool apply(Heap& heap, Comparator comparator, const Value& left, const Value& right) {
  switch (comparator) {
    case Comparator::equal:
      return equal(heap, left, right);
    case Comparator::not_equal:
      return !equal(heap, left, right);
    case Comparator::less:
      return compare(heap, left, right, "<") == -1;
    case Comparator::greater:
      return compare(heap, left, right, ">") == 1;
    case Comparator::less_equal: {
      const int order = compare(heap, left, right, "<=");
      return order == -1 || order == 0;
    }
    case Comparator::greater_equal: {
      const int order = compare(heap, left, right, ">=");
      return order == 0 || order == 1;
    }
    case Comparator::in:
      return contains(heap, right, left);
    case Comparator::not_in:
      break;
  }
  return !contains(heap, right, left);
}

bool contains(Heap& heap, const Value& container, const Value& item) {
  if (container.is_text()) {
    heap.spend_on_text(container.text().size());
    return holds_text(container, item);
  }
  if (container.is_dict()) {
    require_hashable(item);
    if (item.is_text()) heap.spend_on_text(item.text().size());
    return container.dict().find(item) != nullptr;
  }
  if (!is_iterable(container))
    fail(fmt::format("argument of type '{}' is not iterable", type_name(container)));
  const auto items = sequence_of(heap, container);
  return std::ranges::any_of(items->items, [&](const Value& value) { return equal(heap, value, item); });
}

}  // namespace quern::text::jinja
