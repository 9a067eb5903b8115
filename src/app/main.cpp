// The `quern` program.
#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "cli/program.h"

namespace {

// Makes threads that wait for each other sleep after about 0.1 ms. By default libgomp spins for 300,000 pauses, which
// are tens of milliseconds on current CPUs: where other programs run, a waiting thread then holds the core that the
// thread it waits for needs, and training slows six-fold. libgomp reads its settings before main(), so that the
// program starts itself anew; without /proc it goes on as it is.
void limit_spinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return;
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0 || setenv("GOMP_SPINCOUNT", "2000", 1) != 0) return;
  path[length] = '\0';
  execv(path, argv);
}

}  // namespace

int main(int argc, char** argv) {
  limit_spinning(argv);
  return quern::cli::run_program(argc, argv);
}
