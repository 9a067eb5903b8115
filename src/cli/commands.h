// The table of commands.
#pragma once

#include <string_view>
#include <vector>

#include "cli/command.h"

namespace quern::cli {

// In the order in which `quern` lists them.
const std::vector<Command>& commands();

// The one named so; invalid_argument names the nearest. `parent` is what was typed before: "quern" or "quern
// data".
Result<const Command*> find_command(const std::vector<Command>& among, std::string_view name,
                                    std::string_view parent);

// The list of commands, grouped by task.
std::string overview();
// What a verb with sub-verbs prints: its summary, sub-verbs and examples.
std::string overview_of(const Command& command);
// The last part of every --help: the sub-verbs, the details and the examples of a command.
std::string explanation_of(const Command& command);

}  // namespace quern::cli
