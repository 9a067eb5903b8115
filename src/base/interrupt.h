// Ctrl-C: the first one asks long work to stop at a safe place, the second ends the process at once.
#pragma once

#include <string_view>

namespace quern {

inline constexpr std::string_view kInterruptNotice =
    "\nstopping at the next safe place; press Ctrl-C again to stop at once\n";

// While one lives, SIGINT and SIGTERM set a flag instead of ending the process. Make it in the command, ask
// requested() between steps, save, and return a `cancelled` error. One at a time; requested() may be asked
// from any thread.
class InterruptGuard {
 public:
  // `notice`: what the first Ctrl-C prints to stderr. It outlives the guard.
  explicit InterruptGuard(std::string_view notice = kInterruptNotice);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool requested();
};

// Throws a `cancelled` Exception when a guard lives and was asked to stop: for work that keeps nothing until it is
// whole, a few times a second. Not inside parallel_for.
void throw_if_interrupted();

}  // namespace quern
