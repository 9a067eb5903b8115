#include "cli/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/log.h"
#include "base/nearest.h"
#include "base/threads.h"
#include "cli/commands.h"

namespace quern::cli {

namespace {
constexpr int kMostThreads = 4096;
constexpr const char* kCommonGroup = "Common options";

// Found before parsing, because it wins over whatever is wrong with the other arguments.
bool asks_for_help(const std::vector<std::string>& arguments) {
  const auto end = std::ranges::find(arguments, "--");
  return std::find_if(arguments.begin(), end,
                      [](const std::string& a) { return a == "-h" || a == "--help"; }) != end;
}

// Says in the explanation of an option which others it goes with, where CLI11 puts "Excludes: NAME" beside its name.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string text = CLI::Formatter::make_option_opts(option);
    return text.substr(0, std::min(text.find(" Excludes:"), text.find(" Needs:")));
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    return option->get_description() + listed("; not with ", option->get_excludes()) +
           listed("; only with ", option->get_needs());
  }

 private:
  static std::string listed(std::string_view label, const std::set<CLI::Option*>& options) {
    std::set<std::string> names;
    for (const CLI::Option* option : options) names.insert(option->get_name());
    return names.empty() ? "" : fmt::format("{}{}", label, fmt::join(names, ", "));
  }
};

// The long names of an app's options, those in its groups too.
void add_flags(const CLI::App& app, std::vector<std::string>& flags) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  for (const CLI::App* group : app.get_subcommands([](const CLI::App*) { return true; }))
    add_flags(*group, flags);
}
}  // namespace

CLI::Validator at_least(int64_t least) {
  const auto check = [least](const std::string& typed) {
    int64_t number = 0;
    const bool holds = CLI::detail::lexical_cast(typed, number) && number >= least;
    return holds ? std::string()
                 : fmt::format("expected a whole number of at least {}, got {}", least, typed);
  };
  return CLI::Validator(check, "");
}

CommandLine::CommandLine(const std::string& name, const Command& command)
    : app_(command.summary, name), command_(command) {
  app_.formatter(std::make_shared<HelpFormatter>());
  app_.set_help_flag();  // ours is in parse(), among the common options
  app_.allow_extras();
}

void CommandLine::add_choice(const std::string& flag, const std::string& help,
                             const std::vector<std::string>& words,
                             const std::function<void(const std::string&)>& assign) {
  const auto read = [flag, words, assign](const std::string& typed) {
    if (std::ranges::find(words, typed) == words.end()) {
      throw CLI::ValidationError(flag, fmt::format("expected {}, got '{}'", fmt::join(words, " | "), typed));
    }
    assign(typed);
  };
  app_.add_option_function<std::string>(flag, read, help)
      ->type_name(fmt::format("{}", fmt::join(words, "|")))
      ->default_str(words.front());
}

void CommandLine::add_config(Fields fields, const std::string& positional) {
  fields_.emplace(std::move(fields));
  const std::string names = positional.empty() ? "-c,--config" : "-c,--config," + positional;
  app_.add_option(names, config_file_, "YAML file with settings")->type_name("FILE");
  app_.add_option("--set", settings_, "change one setting; may be repeated")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app_.add_flag("--print-config", print_config_, "print all settings as YAML, and stop");
}

void CommandLine::config_flag(const std::string& flag, std::string_view key) {
  const Field* field = fields_ ? fields_->find(key) : nullptr;
  if (field == nullptr) throw InternalError(fmt::format("config_flag: no setting '{}'", key));
  app_.add_option_function<std::string>(
          flag,
          [this, flag, key = std::string(key)](const std::string& value) {
            flag_settings_.emplace_back(flag, key + "=" + value);
          },
          fmt::format("{} ({})", field->help(), field->expects()))
      ->type_name(key.substr(key.rfind('.') + 1).data());
}

std::string CommandLine::help() {
  std::string text = app_.help();
  while (text.ends_with('\n')) text.pop_back();
  text += "\n";
  for (size_t gap = text.find("\n\n\n"); gap != std::string::npos; gap = text.find("\n\n\n"))
    text.erase(gap, 1);
  if (fields_) text += "\nSettings (in the YAML file, or with --set):\n" + fields_->help();
  return text + explanation_of(command_);
}

Result<void> CommandLine::check_extras() {
  const std::vector<std::string> extras = app_.remaining();
  if (extras.empty()) return {};
  const std::string see = fmt::format("see '{} --help'", app_.get_name());
  if (!extras[0].starts_with('-')) {
    return make_error(ErrorCode::invalid_argument, fmt::format("unexpected argument '{}'", extras[0]), see);
  }
  std::vector<std::string> known;
  add_flags(app_, known);
  const std::string typed = extras[0].substr(0, extras[0].find('='));
  const std::string hint = suggestion(typed, known);
  return make_error(ErrorCode::invalid_argument, fmt::format("unknown option '{}'", typed),
                    hint.empty() ? see : hint);
}

Result<void> CommandLine::load_config() {
  if (!config_file_.empty()) QUERN_CHECK(fields_->load_file(config_file_));
  for (const auto& [flag, setting] : flag_settings_) QUERN_CHECK(fields_->set(setting, flag));
  for (const std::string& setting : settings_) QUERN_CHECK(fields_->set(setting));
  return {};
}

Result<bool> CommandLine::parse(std::vector<std::string> arguments, Context& context) {
  app_.add_flag("--json", context.json, "results as JSON on stdout")->group(kCommonGroup);
  app_.add_flag("-q,--quiet", context.quiet, "no progress and no talk")->group(kCommonGroup);
  app_.add_option("--threads", threads_, "CPU threads to use (default: all that this process may use)")
      ->type_name("N")
      ->check(CLI::Range(1, kMostThreads).description(""))
      ->group(kCommonGroup);
  app_.set_help_flag("-h,--help", "show this help, and stop")->group(kCommonGroup);
  if (asks_for_help(arguments)) {
    context.print(help());
    return false;
  }
  std::optional<CLI::ParseError> problem;
  try {
    std::ranges::reverse(arguments);  // CLI11 takes them from the back
    app_.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    problem = error;
  }
  QUERN_CHECK(check_extras());
  if (problem) {
    return make_error(ErrorCode::invalid_argument, problem->what(),
                      fmt::format("see '{} --help'", app_.get_name()));
  }
  if (context.quiet) log::set_level(log::Level::warn);
  if (threads_ > 0) set_num_threads(threads_);
  if (!fields_) return true;
  QUERN_CHECK(load_config());
  if (print_config_) {
    context.print(context.json ? fields_->to_json().dump(2) + "\n" : fields_->to_yaml());
    return false;
  }
  QUERN_CHECK(fields_->check_required());
  return true;
}

}  // namespace quern::cli
