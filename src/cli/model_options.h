// The options that commands which run a model share.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "cli/command_line.h"
#include "infer/completion.h"
#include "infer/loaded_model.h"

namespace quern::cli {

struct ModelOptions {
  std::string model;
  std::string dtype = "f32";
  int64_t context = 0;
  infer::CompletionOptions completion;

  // MODEL, --dtype, --context and the sampling options.
  void define(CommandLine& line);
  // Opens the model; invalid_argument for sampling values out of range.
  Result<infer::LoadedModel> open() const;
};

// The outcome of a completion for --json.
nlohmann::ordered_json to_json(const infer::Completion& completion);
// "123 tokens, 45.6 tok/s; prompt 12 tokens, 0.1 s"
std::string describe_speed(const infer::Completion& completion);

}  // namespace quern::cli
