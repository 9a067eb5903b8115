// The options that commands which run a model share.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "cli/command_line.h"
#include "infer/completion.h"
#include "infer/loaded_model.h"

namespace quern::cli {

inline constexpr const char* kNoPackHelp =
    "read block-quantised weights as they lie in the file: less memory, the same text, slower";

// --cache-dtype, empty where it is not given.
void add_cache_dtype(CLI::App& app, std::string& name);
// Keeps keys and values in the dtype of this name. Errors of model::check_cache_dtype.
Result<void> set_cache_dtype(model::Decoder& model, const std::string& name);

struct ModelOptions {
  bool verbose = false;
  std::string model;
  std::string dtype = "f32";
  std::string cache_dtype;  // empty: model::default_cache_dtype
  std::string adapter;      // a PEFT folder; may be empty
  int64_t context = 0;
  infer::CompletionOptions completion;
  bool encoder_decoders = false;  // open() takes them

  // MODEL, --adapter, --dtype, the settings below with a flag for each, and --config for files of them.
  void define(CommandLine& line);
  void fields(Fields& f);
  // Opens the model and takes over how its makers sample, where nothing else was said; call it first.
  Result<infer::LoadedModel> open();

 private:
  // invalid_argument where beams are searched and the user set what only sampling heeds.
  Result<void> check_beams() const;
  // What --json-schema, --json-object, --regex or --grammar say.
  Result<void> constrain(const infer::LoadedModel& loaded);
  std::string describe(const infer::LoadedModel& loaded, double seconds) const;

  const CommandLine* line_ = nullptr;  // knows what was said
  bool no_pack_ = false;
  std::string json_schema_, regex_, grammar_file_;
  bool json_object_ = false;
  std::vector<std::string> stop_;      // flags, which win over a file
  std::vector<std::string> of_model_;  // settings that came with the model
};

// The outcome of a completion for --json.
nlohmann::ordered_json to_json(const infer::Completion& completion);
nlohmann::ordered_json to_json(const infer::BeamCompletions& completions);
// "123 tokens, 45.6 tok/s; prompt 12 tokens, 0.1 s"
std::string describe_speed(const infer::Completion& completion);

}  // namespace quern::cli
