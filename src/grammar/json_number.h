// JSON numbers within bounds, exactly, as automata of digits.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "grammar/rules.h"

namespace quern::grammar {

// A decimal number without exponent: the digits before and after the point, without zeros that say nothing ("0" and ""
// for none).
struct Decimal {
  bool negative = false;
  std::string whole = "0", fraction;
  bool is_zero() const { return whole == "0" && fraction.empty(); }
};
// From JSON's spelling of a number; nothing when it takes more than 40 digits.
std::optional<Decimal> parse_decimal(std::string_view json);

struct NumberBounds {
  struct Bound {
    Decimal value;
    bool exclusive = false;
  };
  std::optional<Bound> least, most;
};
// Numbers within the bounds, written without exponent. Errors of intersect().
Expr number_at_least(Rules& rules, const NumberBounds::Bound& bound);
Expr number_at_most(Rules& rules, const NumberBounds::Bound& bound);

// Whole numbers, with a sign or not, that `divisor` divides; leading zeros among them.
Expr multiples_of(Rules& rules, uint32_t divisor);

}  // namespace quern::grammar
