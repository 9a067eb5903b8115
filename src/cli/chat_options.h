// The options of commands that hold a conversation.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/command_line.h"
#include "cli/model_options.h"
#include "infer/chat.h"

namespace quern::cli {

struct ChatOptions {
  std::string system;
  std::string template_file;
  bool no_template = false;
  std::string tools_file;
  int64_t keep = 1;

  // --system, --template, --no-template, --tools, --keep.
  void define(CommandLine& line);
  // A conversation with `loaded`, whose chat template it may replace. Warns once about a template that does
  // not fit the model. Errors of Chat::create, of the files, and of templates.
  Result<infer::Chat> open(infer::LoadedModel& loaded, const ModelOptions& model, bool quiet) const;
};

// The outcome of a turn for --json: content, reasoning_content, what was forgotten, and the completion.
nlohmann::ordered_json to_json(const infer::ChatAnswer& answer);

}  // namespace quern::cli
