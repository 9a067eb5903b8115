// Sub-verbs of `quern tokenizer` in files of their own.
#pragma once

#include "cli/command.h"

namespace quern::cli {

Command tokenizer_chat_command();
Command tokenizer_compare_command();

}  // namespace quern::cli
