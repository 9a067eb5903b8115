#include "base/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include "base/exception.h"

namespace quern {

namespace {

volatile sig_atomic_t received = 0;
bool guarded = false;
std::string_view notice;  // written before the handler is installed
struct sigaction previous_int, previous_term;

// Only what is safe in a signal handler: a flag, write(2), _exit(2).
void on_signal(int number) {
  if (received != 0) ::_exit(128 + number);
  received = number;
  (void)!::write(STDERR_FILENO, notice.data(), notice.size());
}

}  // namespace

InterruptGuard::InterruptGuard(std::string_view text) {
  if (guarded) throw InternalError("two InterruptGuards at once");
  guarded = true;
  notice = text;
  received = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, &previous_int);
  ::sigaction(SIGTERM, &action, &previous_term);
}

InterruptGuard::~InterruptGuard() {
  ::sigaction(SIGINT, &previous_int, nullptr);
  ::sigaction(SIGTERM, &previous_term, nullptr);
  guarded = false;
}

bool InterruptGuard::requested() { return guarded && received != 0; }

void throw_if_interrupted() {
  if (!InterruptGuard::requested()) return;
  throw Exception(make_error(ErrorCode::cancelled, "stopped; what was not finished is not kept",
                             "the same command goes on from what was finished"));
}

}  // namespace quern
