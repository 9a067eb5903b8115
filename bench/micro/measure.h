// How micro-benchmarks take time: the best of many runs, since other processes only ever add to it.
#pragma once

#include <chrono>

namespace quern::bench {

// Seconds of the fastest call of `body` in about `budget` seconds, after one call that warms up.
template <class Body>
double best_seconds(const Body& body, double budget = 0.5) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  body();
  double best = 1e9;
  const Clock::time_point begin = Clock::now();
  do {
    const Clock::time_point start = Clock::now();
    body();
    const double seconds = since(start);
    if (seconds < best) best = seconds;
  } while (since(begin) < budget);
  return best;
}

}  // namespace quern::bench
