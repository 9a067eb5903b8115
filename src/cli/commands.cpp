#include "cli/commands.h"

#include <fmt/format.h>

#include <sstream>

#include "base/nearest.h"
#include "base/text_table.h"

namespace quern::cli {

// One declaration per verb, defined in cli/commands/<verb>.cpp...
Command make_command();
Command data_command();
Command tokenizer_command();
Command train_command();
Command generate_command();
Command serve_command();
Command keys_command();
Command chat_command();
Command embed_command();
Command predict_command();
Command pull_command();
Command list_command();
Command remove_command();
Command convert_command();
Command merge_command();
Command quantize_command();
Command prune_command();
Command inspect_command();
Command imatrix_command();
Command eval_command();
Command plan_command();
Command bench_command();
Command doctor_command();
Command version_command();
Command help_command();

const std::vector<Command>& commands() {
  // ... and one entry.
  // clang-format off
  static const std::vector<Command> table = {
      make_command(),
      data_command(),
      tokenizer_command(),
      train_command(),
      generate_command(),
      serve_command(),
      keys_command(),
      chat_command(),
      embed_command(),
      predict_command(),
      pull_command(),
      list_command(),
      remove_command(),
      convert_command(),
      merge_command(),
      quantize_command(),
      prune_command(),
      inspect_command(),
      imatrix_command(),
      eval_command(),
      plan_command(),
      bench_command(),
      doctor_command(),
      version_command(),
      help_command(),
  };
  // clang-format on
  return table;
}

namespace {

struct GroupTitle {
  Group group;
  std::string_view title;
};

constexpr GroupTitle kGroups[] = {
    {Group::recipe, "From raw text to a model, in one go"},
    {Group::data, "Data and tokenizers"},
    {Group::train, "Training"},
    {Group::use, "Using models"},
    {Group::inspect, "Looking and planning"},
    {Group::help, "This program"},
};

std::string list_of(const std::vector<Command>& among, std::string_view title, const Group* only) {
  TextTable table({"", ""});
  bool any = false;
  for (const Command& command : among) {
    if (only != nullptr && command.group != *only) continue;
    table.add({fmt::format("{:<10}", command.name), command.summary});
    any = true;
  }
  return any ? fmt::format("\n{}\n{}", title, table.to_string(2)) : "";
}

}  // namespace

Result<const Command*> find_command(const std::vector<Command>& among, std::string_view name,
                                    std::string_view parent) {
  std::vector<std::string> known;
  for (const Command& command : among) {
    if (command.name == name) return &command;
    known.push_back(command.name);
  }
  std::string hint = suggestion(name, known);
  if (hint.empty()) hint = fmt::format("'{}' alone lists the commands", parent);
  return make_error(ErrorCode::invalid_argument, fmt::format("unknown command '{} {}'", parent, name), hint);
}

std::string explanation_of(const Command& command) {
  std::string text = list_of(command.subcommands, "Commands", nullptr);
  if (!command.details.empty()) text += "\n" + command.details + "\n";
  if (command.examples.empty()) return text;
  text += "\nExamples:\n";
  std::istringstream lines(command.examples);
  for (std::string line; std::getline(lines, line);) text += "  " + line + "\n";
  return text;
}

std::string overview() {
  std::string text =
      "Quern: raw text in, a language model you can talk to out.\n\nUsage: quern COMMAND [OPTIONS]\n";
  for (const GroupTitle& group : kGroups) text += list_of(commands(), group.title, &group.group);
  text += "\n'quern help COMMAND' explains a command and shows an example.\n";
  return text;
}

std::string overview_of(const Command& command) {
  std::string text = fmt::format("{}\n\nUsage: quern {} COMMAND [OPTIONS]\n", command.summary, command.name);
  text += explanation_of(command);
  text += fmt::format("\n'quern {} COMMAND --help' explains one of them.\n", command.name);
  return text;
}

}  // namespace quern::cli
