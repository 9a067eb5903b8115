// Numbers of JSON schemas: bounds and multiples.
#include <fmt/format.h>

#include <cmath>

#include "grammar/schema_compiler.h"

namespace quern::grammar {

namespace {

constexpr uint32_t kLargestDivisor = 2'000;
constexpr int kMostPlaces = 12;

using Bound = NumberBounds::Bound;

// The stricter of `plain` and `exclusive`, which older drafts have as a flag beside `plain`.
Result<std::optional<Bound>> bound_of(const Json& schema, const char* plain, const char* exclusive,
                                      bool lower, const std::string& path) {
  std::optional<Bound> bound;
  double value = 0.0;
  for (const char* key : {plain, exclusive}) {
    const auto found = schema.find(key);
    if (found == schema.end()) continue;
    if (found->is_boolean() && key == exclusive) {
      if (bound) bound->exclusive = found->get<bool>();
      continue;
    }
    if (!found->is_number()) return schema_error(below(path, key), "expected a number");
    const std::optional<Decimal> decimal = parse_decimal(found->dump());
    if (!decimal) return schema_error(below(path, key), "this number has too many digits");
    const double number = found->get<double>();
    const bool stricter = !bound || (lower ? number >= value : number <= value);
    if (stricter) bound = Bound{*decimal, key == exclusive};
    if (stricter) value = number;
  }
  return bound;
}

}  // namespace

Result<Expr> SchemaCompiler::number(const Json& schema, bool whole, const std::string& path) {
  QUERN_TRY(const std::optional<Bound> least, bound_of(schema, "minimum", "exclusiveMinimum", true, path));
  QUERN_TRY(const std::optional<Bound> most, bound_of(schema, "maximum", "exclusiveMaximum", false, path));
  std::optional<Expr> result;
  if (const auto found = schema.find("multipleOf"); found != schema.end()) {
    const std::string at = below(path, "multipleOf");
    const double multiple = found->is_number() ? found->get<double>() : 0.0;
    if (multiple <= 0.0) return schema_error(at, "expected a number above 0");
    if (multiple == std::floor(multiple)) {
      if (multiple > kLargestDivisor)
        return schema_error(at, fmt::format("multiples of more than {} cannot be enforced", kLargestDivisor));
      whole = true;
      if (multiple > 1) result = multiples_of(rules_, static_cast<uint32_t>(multiple));
    } else if (const std::optional<Decimal> decimal = parse_decimal(found->dump());
               decimal && decimal->whole == "0" &&
               decimal->fraction.find_first_not_of('0') == decimal->fraction.size() - 1 &&
               decimal->fraction.back() == '1' && decimal->fraction.size() <= kMostPlaces) {
      const Expr places =
          rules_.repeat(rules_.byte_range('0', '9'), 1, static_cast<uint32_t>(decimal->fraction.size()));
      if (!whole)
        result = rules_.sequence(
            {syntax_.integer(), rules_.optional(rules_.sequence({rules_.literal("."), places}))});
    } else {
      return schema_error(at, "only whole numbers and 0.1, 0.01, ... can be enforced");
    }
  }
  if (!least && !most && !result) return whole ? syntax_.integer() : syntax_.number();
  if (whole) QUERN_CHECK(narrow(result, syntax_.integer(), path));
  if (least) QUERN_CHECK(narrow(result, number_at_least(rules_, *least), path));
  if (most) QUERN_CHECK(narrow(result, number_at_most(rules_, *most), path));
  return *result;
}

}  // namespace quern::grammar
