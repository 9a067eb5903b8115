// The options of one command: its own (CLI11), those common to all, and its config file.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/config.h"
#include "cli/command.h"

namespace quern::cli {

// A check of whole numbers, for options.
CLI::Validator at_least(int64_t least);

class CommandLine {
 public:
  // `name` as typed: "quern tokenizer train".
  CommandLine(const std::string& name, const Command& command);

  // For options and positionals of the command itself.
  CLI::App& app() { return app_; }

  // An option that takes one of these words; its default is what `value` holds.
  template <class E>
  void choice(const std::string& flag, E& value, const std::string& help,
              const std::vector<std::pair<std::string, E>>& choices) {
    std::vector<std::string> words;
    for (const auto& [word, meaning] : choices) {
      words.push_back(word);
      if (meaning == value) words.front().swap(words.back());  // the default is named first
    }
    add_choice(flag, help, words, [&value, choices](const std::string& typed) {
      for (const auto& [word, meaning] : choices) {
        if (word == typed) value = meaning;
      }
    });
  }

  // Gives the command a configuration (base/config.h): --config FILE, --set KEY=VALUE, --print-config, and
  // its keys in
  // --help. The struct must live as long as the Runner. Before the Runner is called it is loaded and its
  // required fields are checked. With `positional`, the file may also be given without --config: "quern train
  // FILE".
  template <class Config>
  void config(Config& config, const std::string& positional = {}) {
    add_config(fields_of(config), positional);
  }
  // A flag that is short for --set key=VALUE. Precondition: config() was called and has this key.
  void config_flag(const std::string& flag, std::string_view key);

  // The settings, which know where each was set. Precondition: config() was called.
  const Fields& fields() const { return *fields_; }

  // Reads the arguments after the verb. True: run the command. False: nothing is left to do (--help,
  // --print-config).
  Result<bool> parse(std::vector<std::string> arguments, Context& context);

 private:
  void add_choice(const std::string& flag, const std::string& help, const std::vector<std::string>& words,
                  const std::function<void(const std::string&)>& assign);
  void add_config(Fields fields, const std::string& positional);
  Result<void> check_extras();
  Result<void> load_config();
  std::string help();

  CLI::App app_;
  const Command& command_;
  std::optional<Fields> fields_;
  std::string config_file_;
  std::vector<std::string> settings_;
  std::vector<std::pair<std::string, std::string>> flag_settings_;  // flag, "key=value"
  bool print_config_ = false;
  int threads_ = 0;
};

}  // namespace quern::cli
