// What a command of the program is. A verb is one file in cli/commands/ that defines its Command, and its two
// lines in cli/commands.cpp:
//
//   namespace {
//   Runner define(CommandLine& line) {
//     auto options = std::make_shared<Options>();
//     line.app().add_option("MODEL", options->model, "model folder")->required();
//     return [options](Context& context) { return greet(*options, context); };
//   }
//   }  // namespace
//   Command greet_command() {
//     return {.name = "greet", .group = Group::use, .summary = "say hello with a model",
//             .examples = "quern greet runs/demo/model", .define = define};
//   }
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"

namespace quern::cli {

class CommandLine;  // cli/command_line.h, which commands include

// What a running command gets from the program.
struct Context {
  bool json = false;   // results as one JSON document (or JSON lines) instead of text
  bool quiet = false;  // no progress, no talk
  Progress* progress = &null_progress();
  int exit_status = 0;  // a command that worked but whose checks failed sets 1

  // Results go to stdout; talk goes to stderr through base/log.h and `progress`.
  void print(std::string_view text) const;
};

using Runner = std::function<Result<void>(Context&)>;

// The tasks under which `quern` lists its commands.
enum class Group { recipe, data, train, use, inspect, help };

struct Command {
  std::string name;
  Group group = Group::help;
  std::string summary;   // a phrase without a full stop
  std::string details;   // paragraphs for --help; may be empty
  std::string examples;  // lines that can be pasted into a shell
  // Adds its options to the command line and returns what to run once they are read. Null for a verb that is
  // nothing without one of its sub-verbs.
  Runner (*define)(CommandLine& line) = nullptr;
  std::vector<Command> subcommands;
};

}  // namespace quern::cli
