// quern version
#include "base/version.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "backend/api/backend.h"
#include "cli/command_line.h"

namespace quern::cli {

namespace {

Result<void> print_version(Context& context) {
  std::vector<std::string> tables;
  for (const backend::KernelTable* table : backend::supported_tables()) tables.emplace_back(table->name);
  if (context.json) {
    const nlohmann::ordered_json document = {{"version", version()},
                                             {"commit", commit()},
                                             {"compiler", compiler()},
                                             {"kernel_tables", tables},
                                             {"libraries", backend::libraries()},
                                             {"active_table", backend::active_table().name}};
    context.print(document.dump(2) + "\n");
    return {};
  }
  context.print(fmt::format("quern {} ({}), {}, kernels: {} of {}\n", version(), commit(), compiler(),
                            backend::active_table().name, fmt::join(tables, ", ")));
  return {};
}

}  // namespace

Command version_command() {
  return {.name = "version",
          .group = Group::help,
          .summary = "print the version, the commit, and the kernels this CPU can run",
          .details = {},
          .examples = "quern version --json",
          .define = [](CommandLine&) -> Runner { return print_version; },
          .subcommands = {}};
}

}  // namespace quern::cli
