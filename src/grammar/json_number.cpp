#include "grammar/json_number.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace quern::grammar {

std::optional<Decimal> parse_decimal(std::string_view json) {
  constexpr int kMostDigits = 40;
  Decimal decimal;
  if (json.starts_with('-')) decimal.negative = true, json.remove_prefix(1);
  const size_t e = std::min(json.find_first_of("eE"), json.size());
  int exponent = 0;
  std::string_view power = json.substr(std::min(e + 1, json.size()));
  if (power.starts_with('+')) power.remove_prefix(1);
  if (!power.empty()) std::from_chars(power.data(), power.data() + power.size(), exponent);
  const std::string_view mantissa = json.substr(0, e);
  const size_t point = std::min(mantissa.find('.'), mantissa.size());
  std::string digits(mantissa.substr(0, point));
  digits += mantissa.substr(std::min(point + 1, mantissa.size()));
  if (exponent > kMostDigits || exponent < -kMostDigits || digits.size() > kMostDigits) return std::nullopt;
  int whole = static_cast<int>(point) + exponent;
  if (whole < 0) digits.insert(0, static_cast<size_t>(-whole), '0'), whole = 0;
  if (static_cast<size_t>(whole) > digits.size()) digits.resize(static_cast<size_t>(whole), '0');
  decimal.whole = digits.substr(0, static_cast<size_t>(whole));
  decimal.fraction = digits.substr(static_cast<size_t>(whole));
  decimal.whole.erase(0, std::min(decimal.whole.find_first_not_of('0'), decimal.whole.size()));
  if (decimal.whole.empty()) decimal.whole = "0";
  decimal.fraction.erase(decimal.fraction.find_last_not_of('0') + 1);
  return decimal;
}

namespace {

// Expressions for numbers beside a given one, digit by digit. None has a sign.
class Digits {
 public:
  explicit Digits(Rules& rules) : rules_(rules) {}

  Expr any(uint32_t least = 0, uint32_t most = kUnbounded) {
    return rules_.repeat(rules_.byte_range('0', '9'), least, most);
  }
  Expr between(char first, char last) {
    return first > last ? rules_.nothing()
                        : rules_.byte_range(static_cast<uint8_t>(first), static_cast<uint8_t>(last));
  }
  Expr fraction(Expr digits) { return rules_.sequence({rules_.literal("."), digits}); }
  Expr any_fraction() { return rules_.optional(fraction(any(1))); }
  Expr whole() { return rules_.choice({rules_.literal("0"), rules_.sequence({between('1', '9'), any()})}); }
  Expr number() { return rules_.sequence({whole(), any_fraction()}); }

  Expr at_least(const Decimal& than, bool exclusive) {
    return rules_.choice(
        {rules_.sequence({greater_whole(than.whole), any_fraction()}),
         rules_.sequence({rules_.literal(than.whole), greater_fraction(than.fraction, exclusive)})});
  }
  Expr at_most(const Decimal& than, bool exclusive) {
    return rules_.choice(
        {rules_.sequence({smaller_whole(than.whole), any_fraction()}),
         rules_.sequence({rules_.literal(than.whole), smaller_fraction(than.fraction, exclusive)})});
  }

 private:
  static uint32_t size(std::string_view text) { return static_cast<uint32_t>(text.size()); }
  // `digit` followed by what may follow it.
  Expr then(Expr digit, Expr rest) { return rules_.sequence({digit, rest}); }

  Expr greater_whole(std::string_view than) {
    std::vector<Expr> choices{then(between('1', '9'), any(size(than)))};
    for (uint32_t i = 0; i < size(than); ++i) {
      const Expr equal = rules_.literal(than.substr(0, i)),
                 more = between(static_cast<char>(than[i] + 1), '9');
      choices.push_back(rules_.sequence({equal, more, any(size(than) - i - 1, size(than) - i - 1)}));
    }
    return rules_.choice(choices);
  }
  Expr smaller_whole(std::string_view than) {
    std::vector<Expr> choices;
    if (than.size() > 1) {
      choices = {rules_.literal("0"), then(between('1', '9'), any(0, size(than) - 2))};
    }
    for (uint32_t i = 0; i < size(than); ++i) {
      const char least = i == 0 && than.size() > 1 ? '1' : '0';
      const Expr equal = rules_.literal(than.substr(0, i)),
                 less = between(least, static_cast<char>(than[i] - 1));
      choices.push_back(rules_.sequence({equal, less, any(size(than) - i - 1, size(than) - i - 1)}));
    }
    return rules_.choice(choices);
  }

  Expr zeros() { return rules_.repeat(rules_.literal("0"), 0, kUnbounded); }
  // More than nothing after what is equal so far.
  Expr positive() { return rules_.sequence({zeros(), between('1', '9'), any()}); }

  // With the point, or nothing at all. `than` ends in another digit than 0.
  Expr greater_fraction(std::string_view than, bool exclusive) {
    if (than.empty()) return exclusive ? fraction(positive()) : any_fraction();
    std::vector<Expr> choices;
    for (uint32_t i = 0; i < size(than); ++i) {
      const Expr equal = rules_.literal(than.substr(0, i));
      choices.push_back(rules_.sequence({equal, between(static_cast<char>(than[i] + 1), '9'), any()}));
    }
    choices.push_back(then(rules_.literal(than), exclusive ? positive() : any()));
    return fraction(rules_.choice(choices));
  }
  Expr smaller_fraction(std::string_view than, bool exclusive) {
    if (than.empty()) {
      return exclusive ? rules_.nothing() : rules_.optional(fraction(then(rules_.literal("0"), zeros())));
    }
    std::vector<Expr> choices;
    for (uint32_t i = 0; i < size(than); ++i) {
      const Expr equal = rules_.literal(than.substr(0, i));
      choices.push_back(rules_.sequence({equal, between('0', static_cast<char>(than[i] - 1)), any()}));
      if (i > 0) choices.push_back(equal);
    }
    if (!exclusive) choices.push_back(then(rules_.literal(than), zeros()));
    return rules_.optional(fraction(rules_.choice(choices)));
  }

  Rules& rules_;
};

Expr negative(Rules& rules, Expr number) { return rules.sequence({rules.literal("-"), number}); }

}  // namespace

Expr number_at_least(Rules& rules, const NumberBounds::Bound& bound) {
  Digits digits(rules);
  const bool below_zero = bound.value.negative && !bound.value.is_zero();
  if (!below_zero) return digits.at_least(bound.value, bound.exclusive);
  return rules.choice({digits.number(), negative(rules, digits.at_most(bound.value, bound.exclusive))});
}

Expr number_at_most(Rules& rules, const NumberBounds::Bound& bound) {
  Digits digits(rules);
  if (bound.value.negative || (bound.value.is_zero() && bound.exclusive))
    return negative(rules, digits.at_least(bound.value, bound.exclusive));
  return rules.choice({negative(rules, digits.number()), digits.at_most(bound.value, bound.exclusive)});
}

Expr multiples_of(Rules& rules, uint32_t divisor) {
  Graph graph;
  const uint32_t first = graph.add_place(), sign = first + divisor;  // the place of remainder r is first + r
  for (uint32_t r = 0; r < divisor; ++r) graph.add_place();
  graph.add_edge(0, rules.literal("-"), sign);
  graph.add_edge(0, rules.empty(), sign);
  for (uint8_t digit = 0; digit < 10; ++digit) {
    const auto byte = static_cast<uint8_t>('0' + digit);
    const Expr label = rules.byte_range(byte, byte);
    graph.add_edge(sign, label, first + digit % divisor);
    for (uint32_t r = 0; r < divisor; ++r)
      graph.add_edge(first + r, label, first + (r * 10 + digit) % divisor);
  }
  graph.ends = {first};
  return rules.graph(std::move(graph));
}

}  // namespace quern::grammar
