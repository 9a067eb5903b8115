// Time: a stopwatch for durations and ISO 8601 for moments.
#pragma once

#include <chrono>
#include <string>

namespace quern {

// Monotonic; starts running.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  void restart() { start_ = Clock::now(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

// "2026-01-31T12:34:56Z", in UTC.
std::string iso_time(std::chrono::system_clock::time_point time = std::chrono::system_clock::now());

}  // namespace quern
