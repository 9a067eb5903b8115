#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

#include "base/nearest.h"
#include "base/terminal.h"

namespace quern::log {

namespace {

constexpr std::string_view kLevelNames[] = {"debug", "info", "warn", "error", "off"};

// Lines go through the terminal so that they do not tear a progress bar.
class TerminalSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    terminal::print_line({message.payload.data(), message.payload.size()});
  }
  void flush_() override {}
};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
    case Level::off:
      break;
  }
  return spdlog::level::off;
}

struct State {
  std::atomic<Level> level{Level::info};
  spdlog::logger logger{"quern", std::make_shared<TerminalSink>()};

  State() {
    logger.set_level(spdlog::level::trace);  // `level` above decides
    const char* wanted = std::getenv("QUERN_LOG");
    if (wanted == nullptr || *wanted == '\0') return;
    if (const Result<Level> parsed = parse_level(wanted); parsed.ok()) {
      level = *parsed;
    } else {
      terminal::print_line("warning [log] QUERN_LOG: " + parsed.error().message);
    }
  }
};

State& state() {
  static State* state = new State;  // never destroyed: threads may log while the process ends
  return *state;
}

}  // namespace

void set_level(Level level) { state().level = level; }
Level level() { return state().level; }

Result<Level> parse_level(std::string_view name) {
  for (size_t i = 0; i < std::size(kLevelNames); ++i) {
    if (name == kLevelNames[i]) return static_cast<Level>(i);
  }
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("unknown log level '{}': expected debug, info, warn, error or off", name));
}

void write(Level level, std::string_view component, std::string_view message) {
  // Information is the normal voice of the program and needs no mark.
  const std::string_view mark = level == Level::debug   ? "debug "
                                : level == Level::warn  ? "warning "
                                : level == Level::error ? "error "
                                                        : "";
  state().logger.log(to_spdlog(level), "{}[{}] {}", mark, component, message);
}

}  // namespace quern::log
