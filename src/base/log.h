// Levelled log lines on stderr: "warning [train] loss is not finite". Thread-safe. The level comes from
// QUERN_LOG (debug, info, warn, error, off; default info) or set_level().
//
//   log::info("train", "resumed at step {}", step);
#pragma once

#include <fmt/core.h>

#include <string_view>

#include "base/result.h"

namespace quern::log {

enum class Level { debug, info, warn, error, off };

void set_level(Level level);
Level level();
Result<Level> parse_level(std::string_view name);

// Writes a finished message; prefer the functions below, which format only when the level is on.
void write(Level level, std::string_view component, std::string_view message);

template <class... Args>
void log(Level at, std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (at >= level()) write(at, component, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  log(Level::debug, component, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  log(Level::info, component, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  log(Level::warn, component, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  log(Level::error, component, format, std::forward<Args>(args)...);
}

}  // namespace quern::log
