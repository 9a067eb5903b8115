// quern help [COMMAND]
#include "cli/command_line.h"
#include "cli/commands.h"

namespace quern::cli {

namespace {

// `quern help VERB` never comes here: the program turns it into `quern VERB --help`.
Runner define(CommandLine& line) {
  line.app().footer("quern help COMMAND explains that command.");
  return [](Context& context) -> Result<void> {
    context.print(overview());
    return {};
  };
}

}  // namespace

Command help_command() {
  return {.name = "help",
          .group = Group::help,
          .summary = "list the commands, or explain one",
          .details = {},
          .examples = "quern help doctor",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
