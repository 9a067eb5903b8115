// The texts that a command works through: its arguments, or the lines of a file.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command_line.h"

namespace quern::cli {

struct TextInputs {
  std::vector<std::string> texts;
  std::string data;

  // TEXT ... and --data.
  void define(CommandLine& line);
  // invalid_argument when there are none. Of a .jsonl file what stands under "text"; other files have one text per line,
  // and empty lines are left out.
  Result<std::vector<std::string>> read() const;
};

}  // namespace quern::cli
