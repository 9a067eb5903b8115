// The `quern` program: registers the backends and hands over to the command table.
#include "backend/api/backend.h"
#include "cli/program.h"

int main(int argc, char** argv) {
  quern::backend::register_backends();
  return quern::cli::run_program(argc, argv);
}
