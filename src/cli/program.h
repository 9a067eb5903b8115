// The command-line program: finds the command, reads its options, runs it, and turns errors into messages and
// exit codes.
#pragma once

#include <string>
#include <vector>

namespace quern::cli {

// Runs `quern <verb> ...`; returns the exit status: 0, 1 for failed checks, or that of the error's class
// (base/error.h). Nothing is thrown.
int run_program(int argc, char** argv);

// The same with the arguments after "quern".
int run_program(const std::vector<std::string>& arguments);

}  // namespace quern::cli
