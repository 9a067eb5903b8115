// How micro-benchmarks take time: the best of many runs, since other processes only ever add to it.
#pragma once

#include <chrono>
#include <ctime>

namespace quern::bench {

// Time that this process spent on CPUs, whatever else ran: for work of one thread on a busy machine.
struct CpuClock {
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<CpuClock, duration>;
  static time_point now() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time_point(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
  }
};

// Seconds of the fastest call of `body` in about `budget` seconds, after one call that warms up.
template <class Clock = std::chrono::steady_clock, class Body>
double best_seconds(const Body& body, double budget = 0.5) {
  const auto since = [](typename Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  body();
  double best = 1e9;
  const typename Clock::time_point begin = Clock::now();
  do {
    const typename Clock::time_point start = Clock::now();
    body();
    const double seconds = since(start);
    if (seconds < best) best = seconds;
  } while (since(begin) < budget);
  return best;
}

}  // namespace quern::bench
