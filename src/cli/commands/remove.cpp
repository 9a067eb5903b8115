// quern remove
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <memory>

#include "base/units.h"
#include "cli/command_line.h"
#include "store/store.h"

namespace quern::cli {

namespace {

struct Arguments {
  std::string name;
  bool yes = false;
  bool unfinished = false;
};

// Asks at the terminal; without one, only --yes is an answer.
Result<bool> confirmed(const std::string& question) {
  if (::isatty(STDIN_FILENO) == 0) {
    return make_error(ErrorCode::invalid_argument, "there is no terminal to ask at",
                      "say --yes to remove without asking");
  }
  std::fprintf(stderr, "%s [y/N] ", question.c_str());
  std::fflush(stderr);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

Result<void> remove(const Arguments& arguments) {
  const store::Store models;
  if (arguments.unfinished) return models.remove_unfinished();
  if (arguments.name.empty())
    return make_error(ErrorCode::invalid_argument, "expected the NAME of a model", "'quern list' shows them");
  QUERN_TRY(const store::StoredModel model, models.find(arguments.name));
  if (!arguments.yes) {
    QUERN_TRY(const bool go, confirmed(fmt::format("remove {} ({}) from the store?", model.name,
                                                   human_bytes(model.size()))));
    if (!go) return make_error(ErrorCode::cancelled, fmt::format("{} stays", model.name));
  }
  return models.remove(model.name);
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::Option* const name =
      line.app().add_option("NAME", arguments->name, "a model as 'quern list' names it");
  line.app().add_flag("-y,--yes", arguments->yes, "do not ask");
  line.app()
      .add_flag("--unfinished", arguments->unfinished, "remove what interrupted pulls left instead")
      ->excludes(name);
  return [arguments](Context&) { return remove(*arguments); };
}

}  // namespace

Command remove_command() {
  return {.name = "remove",
          .group = Group::use,
          .summary = "delete a model from the local store",
          .details = {},
          .examples = "quern remove smollm2-135m-instruct-q4_1 --yes",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
