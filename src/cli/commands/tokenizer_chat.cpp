// quern tokenizer chat
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "cli/command_line.h"
#include "cli/commands/tokenizer.h"
#include "text/chat_template.h"

namespace quern::cli {

namespace {

using Json = nlohmann::ordered_json;

struct ChatArguments {
  std::string folder;
  std::string file;
  std::string jsonl;
  std::string template_name;
};

// The prompt of one conversation, and the parts of it that the assistant said.
Result<Json> render(const text::ChatTemplates& templates, const ChatArguments& arguments,
                    std::string_view line, std::string_view source) {
  QUERN_CHECK(parse_json(line, source));  // checks the depth, which the next parser does not
  QUERN_TRY(text::ChatRequest request, text::chat_request_from_json(Json::parse(line)));
  request.template_name = arguments.template_name;
  QUERN_TRY(const text::jinja::Rendered rendered, templates.render(request));
  return Json{{"text", rendered.text}, {"generated", rendered.generated}};
}

Result<void> chat(const ChatArguments& arguments, Context& context) {
  QUERN_TRY(const text::ChatTemplates templates, text::ChatTemplates::load(arguments.folder));
  if (arguments.jsonl.empty()) {
    QUERN_TRY(const std::string content, read_file(arguments.file == "-" ? "/dev/stdin" : arguments.file));
    QUERN_TRY(const Json rendered, render(templates, arguments, content, arguments.file));
    context.print(context.json ? rendered.dump() + "\n" : rendered["text"].get<std::string>());
    return {};
  }
  QUERN_TRY(const std::string content, read_file(arguments.jsonl == "-" ? "/dev/stdin" : arguments.jsonl));
  std::istringstream lines(content);
  std::string line;
  for (int64_t number = 1; std::getline(lines, line); ++number) {
    const auto rendered = render(templates, arguments, line, fmt::format("{}:{}", arguments.jsonl, number));
    context.print((rendered.ok() ? *rendered : Json{{"error", rendered.error().message}}).dump() + "\n");
  }
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<ChatArguments>();
  line.app()
      .add_option("MODEL", arguments->folder, "folder with tokenizer_config.json or chat_template.jinja")
      ->required();
  CLI::Option* file = line.app().add_option("-f,--file", arguments->file,
                                            "a conversation: {\"messages\": [...], \"tools\": [...], "
                                            "\"add_generation_prompt\": true, ...}; - is stdin");
  CLI::Option* jsonl = line.app().add_option(
      "--jsonl", arguments->jsonl, "many, one a line, to lines of {\"text\": ...} or {\"error\": ...}");
  file->excludes(jsonl);
  line.app().add_option("--template", arguments->template_name, "one of several templates, by its name");
  return [arguments, file, jsonl](Context& context) -> Result<void> {
    if (file->count() + jsonl->count() == 0) {
      return make_error(ErrorCode::invalid_argument, "expected a conversation: --file or --jsonl");
    }
    return chat(*arguments, context);
  };
}

}  // namespace

Command tokenizer_chat_command() {
  return {.name = "chat",
          .group = Group::data,
          .summary = "print the prompt that a conversation becomes with a model's chat template",
          .details = {},
          .examples =
              "echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}' | quern tokenizer chat "
              "MODEL -f -",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
