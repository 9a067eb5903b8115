// Flags of commands that let models write: who is asked.
#pragma once

#include "base/result.h"
#include "cli/command_line.h"
#include "recipes/respondents.h"

namespace quern::cli {

// --model NAME and --endpoint URL, short for settings of the same meaning. Precondition: line.config() was called.
void add_respondent_flags(CommandLine& line);

// --resume and --overwrite, one of them at most.
void add_resume_flags(CommandLine& line, bool& resume, bool& overwrite);

// A name in the store becomes the path of its model; nothing for endpoints. Errors of Store::resolve.
Result<void> find_respondent(recipes::RespondentConfig& config);

}  // namespace quern::cli
