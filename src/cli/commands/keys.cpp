// quern keys: add, list, remove
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text_table.h"
#include "cli/command_line.h"
#include "server/api_keys.h"

namespace quern::cli {

namespace {

using Json = nlohmann::ordered_json;
using server::ApiKey;

struct Arguments {
  std::string file;
  ApiKey entry;

  std::string& name() { return entry.caller.name; }
  void define_file(CLI::App& app) {
    app.add_option("--file", file, "the keys file, which quern serve --api-keys reads")->required();
  }
};

// `missing_is_empty`: as add finds it the first time.
Result<std::vector<ApiKey>> read_keys(const std::string& file, bool missing_is_empty) {
  if (missing_is_empty && !std::filesystem::exists(file)) return std::vector<ApiKey>();
  QUERN_TRY(const std::string text, read_file(file));
  return server::parse_api_keys(text, file);
}

Result<void> add(Arguments& arguments, const Context& context) {
  QUERN_TRY(std::vector<ApiKey> keys, read_keys(arguments.file, true));
  const auto same = [&](const ApiKey& key) { return key.caller.name == arguments.name(); };
  if (std::ranges::any_of(keys, same)) {
    return make_error(ErrorCode::conflict,
                      fmt::format("{} has a key of '{}' already", arguments.file, arguments.name()),
                      "remove it first; names are one each");
  }
  const server::NewApiKey made = server::make_api_key();
  arguments.entry.hash = made.hash;
  keys.push_back(arguments.entry);
  QUERN_CHECK(write_file_atomic(arguments.file, server::write_api_keys(keys)));
  context.print(context.json ? Json({{"name", arguments.name()}, {"key", made.key}}).dump() + "\n"
                             : made.key + "\n");
  return {};
}

std::string limit_text(int64_t limit) { return limit == 0 ? "" : std::to_string(limit); }

Json to_json(const server::Caller& caller) {
  return {{"name", caller.name},
          {"requests_per_minute", caller.limits.requests_per_minute},
          {"tokens_per_day", caller.limits.tokens_per_day},
          {"models", caller.models},
          {"priority", caller.priority},
          {"admin", caller.admin}};
}

Result<void> list(const Arguments& arguments, const Context& context) {
  QUERN_TRY(const std::vector<ApiKey> keys, read_keys(arguments.file, false));
  TextTable table({"name", ">requests/minute", ">tokens/day", "models", ">priority", "admin"});
  for (const ApiKey& key : keys) {
    const server::Caller& caller = key.caller;
    if (context.json) {
      context.print(to_json(caller).dump() + "\n");
      continue;
    }
    table.add({caller.name, limit_text(caller.limits.requests_per_minute),
               limit_text(caller.limits.tokens_per_day),
               caller.models.empty() ? "all" : fmt::format("{}", fmt::join(caller.models, ", ")),
               std::to_string(caller.priority), caller.admin ? "yes" : ""});
  }
  if (!context.json) context.print(table.to_string());
  return {};
}

Result<void> remove(Arguments& arguments) {
  QUERN_TRY(std::vector<ApiKey> keys, read_keys(arguments.file, false));
  const auto same = [&](const ApiKey& key) { return key.caller.name == arguments.name(); };
  if (std::erase_if(keys, same) == 0) {
    return make_error(ErrorCode::not_found,
                      fmt::format("{} has no key of '{}'", arguments.file, arguments.name()),
                      "'quern keys list' shows them");
  }
  return write_file_atomic(arguments.file, server::write_api_keys(keys));
}

Runner define_add(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& app = line.app();
  server::Caller& caller = arguments->entry.caller;
  app.add_option("NAME", caller.name, "who owns the key, in the audit log and the metrics")->required();
  arguments->define_file(app);
  app.add_option("--requests-per-minute", caller.limits.requests_per_minute, "0: no limit")
      ->check(at_least(0));
  app.add_option("--tokens-per-day", caller.limits.tokens_per_day, "of prompts and answers; 0: no limit")
      ->check(at_least(0));
  app.add_option("--models", caller.models, "the models allowed, a,b; all where none are named")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--priority", caller.priority, "more goes first")->check(CLI::Range(-1000, 1000));
  app.add_flag("--admin", caller.admin, "may see metrics, and load and unload models");
  return [arguments](Context& context) { return add(*arguments, context); };
}

Runner define_list(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  arguments->define_file(line.app());
  return [arguments](Context& context) { return list(*arguments, context); };
}

Runner define_remove(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  line.app().add_option("NAME", arguments->name(), "whose key")->required();
  arguments->define_file(line.app());
  return [arguments](Context&) { return remove(*arguments); };
}

}  // namespace

Command keys_command() {
  return {.name = "keys",
          .group = Group::use,
          .summary = "keys that clients of quern serve must show",
          .details =
              "A keys file holds salted hashes: a key is shown once, when it is made. Servers that run see\n"
              "changes within a second. The file is written anew each time, without comments of yours.",
          .examples =
              "quern keys add alice --file keys.yaml --requests-per-minute 60\n"
              "quern serve smollm2 --host 0.0.0.0 --api-keys keys.yaml",
          .define = nullptr,
          .subcommands = {{.name = "add",
                           .group = Group::use,
                           .summary = "make a key, write its hash to the file and print it, once",
                           .details = {},
                           .examples = "quern keys add alice --file keys.yaml --models smollm2 --priority 1",
                           .define = define_add,
                           .subcommands = {}},
                          {.name = "list",
                           .group = Group::use,
                           .summary = "whose keys there are, and their limits",
                           .details = {},
                           .examples = "quern keys list --file keys.yaml",
                           .define = define_list,
                           .subcommands = {}},
                          {.name = "remove",
                           .group = Group::use,
                           .summary = "take a key back",
                           .details = {},
                           .examples = "quern keys remove alice --file keys.yaml",
                           .define = define_remove,
                           .subcommands = {}}}};
}

}  // namespace quern::cli
