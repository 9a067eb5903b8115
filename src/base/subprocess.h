// Another program: text in, text out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern {

struct ProgramLimits {
  double seconds = 60.0;
  size_t output_bytes = size_t{64} << 20;
};

// Runs argv[0], found through PATH, without a shell, gives it `input` as its standard input, and returns what it writes
// to its standard output. Errors name the program and hold the end of what it wrote to its standard error: not_found and
// permission as the system says; deadline when it takes too long, and it is killed then with all it started; unavailable
// when it ends with another status than 0; invalid_argument when it writes more than the limit. Precondition: argv is not
// empty. Thread-safe.
Result<std::string> run_program(const std::vector<std::string>& argv, std::string_view input,
                                const ProgramLimits& limits = {});

}  // namespace quern
