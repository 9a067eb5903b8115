// Filters that give numbers, or text about them.
#include <fmt/format.h>

#include <cmath>

#include "text/jinja/failure.h"
#include "text/jinja/filters.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/literal.h"
#include "text/jinja/operators.h"

namespace quern::text::jinja {

namespace {

// int() of Python; nullopt for what has no integer, or none of 64 bits.
std::optional<int64_t> as_integer(const Value& value, int base) {
  constexpr double kLimit = 9223372036854775808.0;
  require_defined(value);
  if (value.is_integral()) return value.integer();
  std::optional<double> real;
  if (value.is_text()) {
    if (const std::optional<int64_t> integer = parse_integer(value.text(), base)) return integer;
    real = parse_real(value.text());
  } else if (value.kind() == Value::Kind::real) {
    real = value.number();
  }
  if (!real || !std::isfinite(*real)) return std::nullopt;
  if (*real < -kLimit || *real >= kLimit) {
    fail("an integer past 64 bits, which are all this interpreter has", ErrorCode::unsupported);
  }
  return static_cast<int64_t>(*real);
}

Value to_int(Interpreter&, const Value& subject, const Arguments& arguments) {
  const Bound bound("int", arguments, {"default", "base"});
  const int64_t base = bound.integer(1, 10);
  if (base != 0 && (base < 2 || base > 36)) return bound.has(0) ? bound[0] : Value(0);
  const std::optional<int64_t> value = as_integer(subject, static_cast<int>(base));
  if (value) return *value;
  return bound.has(0) ? bound[0] : Value(0);
}

Value to_float(Interpreter&, const Value& subject, const Arguments& arguments) {
  const Bound bound("float", arguments, {"default"});
  require_defined(subject);
  if (subject.is_number()) return subject.number();
  const std::optional<double> value = subject.is_text() ? parse_real(subject.text()) : std::nullopt;
  if (value) return *value;
  return bound.has(0) ? bound[0] : Value(0.0);
}

Value absolute(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("abs", arguments, {});
  require_defined(subject);
  if (!subject.is_number()) fail(fmt::format("bad operand type for abs(): '{}'", type_name(subject)));
  if (subject.kind() == Value::Kind::real) return std::fabs(subject.number());
  return subject.integer() < 0 ? apply(interpreter.heap(), UnaryOperator::negate, subject)
                               : Value(subject.integer());
}

// Half to even, on the decimal form that the number stands for.
double round_to(double value, int64_t digits) {
  constexpr int64_t kMost = 22;  // 10^22 is the last power of ten that is exact
  if (digits > 308 || !std::isfinite(value)) return value;
  if (digits < -308) return std::copysign(0.0, value);
  if (digits >= 0) return std::stod(fmt::format("{:.{}f}", value, digits));
  const double scale = std::pow(10.0, static_cast<double>(-digits));
  return digits >= -kMost ? std::nearbyint(value / scale) * scale : 0.0;
}

Value round_integer(int64_t value, int64_t digits) {
  if (digits >= 0) return value;
  if (digits < -18) return 0;
  int64_t scale = 1;
  for (int64_t i = 0; i < -digits; ++i) scale *= 10;
  const int64_t rest = ((value % scale) + scale) % scale;
  const int64_t down = value - rest;
  const bool up = rest * 2 > scale || (rest * 2 == scale && (down / scale) % 2 != 0);
  return up ? down + scale : down;
}

Value round_filter(Interpreter&, const Value& subject, const Arguments& arguments) {
  const Bound bound("round", arguments, {"precision", "method"});
  require_defined(subject);
  if (!subject.is_number()) fail(fmt::format("round expects a number, got '{}'", type_name(subject)));
  const int64_t precision = bound.integer(0);
  const std::string_view method = bound.text(1, "common");
  if (method == "common") {
    return subject.is_integral() ? round_integer(subject.integer(), precision)
                                 : Value(round_to(subject.number(), precision));
  }
  if (method != "ceil" && method != "floor") fail("method must be common, ceil or floor");
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = subject.number() * scale;
  return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale;
}

Value file_size(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("filesizeformat", arguments, {"binary"});
  const bool binary = bound.flag(0);
  require_defined(subject);
  const std::optional<double> bytes = subject.is_number() ? std::optional(subject.number())
                                      : subject.is_text() ? parse_real(subject.text())
                                                          : std::nullopt;
  if (!bytes || !std::isfinite(*bytes)) fail("filesizeformat expects a number");
  const double base = binary ? 1024 : 1000;
  Heap& heap = interpreter.heap();
  if (*bytes == 1) return make_text(heap, "1 Byte");
  if (*bytes < base)
    return make_text(heap, fmt::format("{} Bytes", static_cast<int64_t>(std::max(*bytes, -9e18))));
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  double scaled = *bytes / base;
  size_t prefix = 0;
  for (; scaled >= base && prefix + 1 < kPrefixes.size(); ++prefix) scaled /= base;
  const char letter = binary && prefix == 0 ? 'K' : kPrefixes[prefix];
  return make_text(heap, fmt::format("{:.1f} {}{}B", scaled, letter, binary ? "i" : ""));
}

constexpr Builtin kNumberFilters[] = {
    {"int", to_int},         {"float", to_float},           {"abs", absolute},
    {"round", round_filter}, {"filesizeformat", file_size},
};

}  // namespace

Builtins number_filters() { return kNumberFilters; }

}  // namespace quern::text::jinja
