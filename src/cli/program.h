// Entry of the command-line program.
#pragma once

namespace quern::cli {

// Runs `quern <verb> ...`; returns the exit status.
int run_program(int argc, char** argv);

}  // namespace quern::cli
