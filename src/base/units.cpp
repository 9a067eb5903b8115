#include "base/units.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <span>

namespace quern {

namespace {

struct ScaledUnit {
  std::string_view suffix;
  double factor;
};

// Three significant digits: 1.23, 12.3, 123.
std::string three_digits(double value) {
  return fmt::format("{:.{}f}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

Result<uint64_t> parse_with_units(std::string_view text, std::span<const ScaledUnit> units,
                                  std::string_view kind, std::string_view examples) {
  const auto refuse = [&](std::string_view why) {
    return make_error(ErrorCode::invalid_argument, fmt::format("'{}' is not a {}: {}", text, kind, why),
                      fmt::format("write {}", examples));
  };
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || !std::isfinite(value)) return refuse("expected a number");
  std::string_view suffix = text.substr(static_cast<size_t>(end - text.data()));
  while (!suffix.empty() && suffix.front() == ' ') suffix.remove_prefix(1);
  for (const ScaledUnit& unit : units) {
    if (suffix != unit.suffix) continue;
    const double scaled = value * unit.factor;
    if (scaled < 0) return refuse("it is negative");
    if (scaled >= 0x1p63) return refuse("it is too large");
    if (unit.factor == 1 && scaled != std::floor(scaled)) return refuse("it is not whole");
    return static_cast<uint64_t>(std::llround(scaled));
  }
  return refuse(fmt::format("unknown unit '{}'", suffix));
}

}  // namespace

std::string human_bytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  std::string_view unit;
  for (const std::string_view next : {"KiB", "MiB", "GiB", "TiB", "PiB"}) {
    value /= 1024;
    unit = next;
    if (value < 999.5) break;
  }
  return fmt::format("{} {}", three_digits(value), unit);
}

std::string human_count(double count) {
  if (std::abs(count) < 999.5) {
    return count == std::floor(count) ? fmt::format("{:.0f}", count) : fmt::format("{:.3g}", count);
  }
  std::string_view unit;
  for (const std::string_view next : {"k", "M", "G", "T", "P"}) {
    count /= 1000;
    unit = next;
    if (std::abs(count) < 999.5) break;
  }
  return fmt::format("{}{}{}", count < 0 ? "-" : "", three_digits(std::abs(count)), unit);
}

std::string human_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  if (seconds < 1e-3) return fmt::format("{:.0f} us", seconds * 1e6);
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  if (seconds > 1e15) return "for ever";
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h {:02}m", whole / 3600, whole % 3600 / 60);
  return fmt::format("{}d {}h", whole / 86400, whole % 86400 / 3600);
}

Result<uint64_t> parse_bytes(std::string_view text) {
  static constexpr ScaledUnit kUnits[] = {{"", 1},         {"B", 1},        {"k", 1e3},     {"kB", 1e3},
                                          {"KB", 1e3},     {"M", 1e6},      {"MB", 1e6},    {"G", 1e9},
                                          {"GB", 1e9},     {"T", 1e12},     {"TB", 1e12},   {"KiB", 0x1p10},
                                          {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}};
  return parse_with_units(text, kUnits, "size in bytes", "a size such as 4GiB, 500MB or 1048576");
}

Result<uint64_t> parse_count(std::string_view text) {
  static constexpr ScaledUnit kUnits[] = {{"", 1},    {"k", 1e3}, {"K", 1e3}, {"M", 1e6},
                                          {"G", 1e9}, {"B", 1e9}, {"T", 1e12}};
  return parse_with_units(text, kUnits, "count", "a count such as 1000, 300k, 1.5G or 1e9");
}

}  // namespace quern
