#include "cli/program.h"

#include <cstdio>

namespace quern::cli {

int run_program(int, char**) {
  std::puts("quern");
  return 0;
}

}  // namespace quern::cli
