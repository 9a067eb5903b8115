// Ctrl-C: the first one asks long work to stop at a safe place, the second ends the process at once.
#pragma once

namespace quern {

// While one lives, SIGINT and SIGTERM set a flag instead of ending the process. Make it in the command, ask
// requested() between steps, save, and return a `cancelled` error. One at a time; requested() may be asked
// from any thread.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool requested();
};

// Throws a `cancelled` Exception when a guard lives and was asked to stop: for work that keeps nothing until it is
// whole, a few times a second. Not inside parallel_for.
void throw_if_interrupted();

}  // namespace quern
