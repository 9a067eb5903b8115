#include "base/duration.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace quern {

namespace {

struct TimeUnit {
  std::string_view suffix;
  double seconds;
};
constexpr TimeUnit kUnits[] = {{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};

}  // namespace

Result<double> parse_duration(std::string_view text) {
  const Error refused =
      make_error(ErrorCode::invalid_argument, fmt::format("'{}' is not a length of time", text),
                 "write one such as 90, 90s, 5m or 1h30m");
  double total = 0;
  std::string_view rest = text;
  do {
    double value = 0;
    const auto [end, status] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (status != std::errc() || !std::isfinite(value)) return refused;
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    const std::string_view suffix = rest.substr(0, std::min(rest.find_first_of("0123456789."), rest.size()));
    const auto* const unit =
        std::ranges::find(kUnits, suffix.empty() ? std::string_view("s") : suffix, &TimeUnit::suffix);
    if (unit == std::end(kUnits)) return refused;
    total += value * unit->seconds;
    rest.remove_prefix(suffix.size());
  } while (!rest.empty());
  return total;
}

}  // namespace quern
