// quern tokenizer chat
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "cli/command_line.h"
#include "cli/commands/tokenizer.h"
#include "formats/gguf/archive.h"
#include "infer/language.h"
#include "store/store.h"
#include "text/chat_prompt.h"
#include "text/chat_template.h"

namespace quern::cli {

namespace {

using Json = nlohmann::ordered_json;

struct ChatArguments {
  std::string folder;
  std::string file;
  std::string jsonl;
  std::string template_name;
  bool ids = false;
};

// A folder of tokenizer files needs no model; a GGUF file has both. The tokenizer is there where it is
// needed.
struct Source {
  text::ChatTemplates templates;
  std::optional<text::Tokenizer> tokenizer;
};

Result<Source> open(const ChatArguments& arguments) {
  QUERN_TRY(const std::filesystem::path path, store::Store().resolve(arguments.folder));
  if (formats::is_gguf(path)) {
    QUERN_TRY(infer::Language language, infer::open_language(path));
    return Source{std::move(language.templates), std::move(language.tokenizer)};
  }
  QUERN_TRY(text::ChatTemplates templates, text::ChatTemplates::load(path));
  Source source{std::move(templates), std::nullopt};
  if (arguments.ids) {
    QUERN_TRY(source.tokenizer, text::Tokenizer::load(path));
  }
  return source;
}

// The prompt of one conversation, and the parts of it that the assistant said.
Result<Json> render(const Source& source, const ChatArguments& arguments, std::string_view line,
                    std::string_view place) {
  QUERN_CHECK(parse_json(line, place));  // checks the depth, which the next parser does not
  QUERN_TRY(text::ChatRequest request, text::chat_request_from_json(Json::parse(line)));
  request.template_name = arguments.template_name;
  if (arguments.ids) {
    QUERN_TRY(const text::ChatPrompt prompt,
              text::render_prompt(source.templates, request, *source.tokenizer));
    const auto ids =
        source.tokenizer->encode(prompt.text, {.add_special_tokens = false, .plain = prompt.typed});
    return Json{{"text", prompt.text}, {"generated", prompt.generated}, {"ids", ids}};
  }
  QUERN_TRY(const text::jinja::Rendered rendered, source.templates.render(request));
  return Json{{"text", rendered.text}, {"generated", rendered.generated}};
}

Result<void> chat(const ChatArguments& arguments, Context& context) {
  QUERN_TRY(const Source source, open(arguments));
  if (arguments.jsonl.empty()) {
    QUERN_TRY(const std::string content, read_file(arguments.file == "-" ? "/dev/stdin" : arguments.file));
    QUERN_TRY(const Json rendered, render(source, arguments, content, arguments.file));
    const bool as_json = context.json || arguments.ids;
    context.print(as_json ? rendered.dump() + "\n" : rendered["text"].get<std::string>());
    return {};
  }
  QUERN_TRY(const std::string content, read_file(arguments.jsonl == "-" ? "/dev/stdin" : arguments.jsonl));
  std::istringstream lines(content);
  std::string line;
  for (int64_t number = 1; std::getline(lines, line); ++number) {
    const auto rendered = render(source, arguments, line, fmt::format("{}:{}", arguments.jsonl, number));
    context.print((rendered.ok() ? *rendered : Json{{"error", rendered.error().message}}).dump() + "\n");
  }
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<ChatArguments>();
  line.app()
      .add_option(
          "MODEL", arguments->folder,
          "folder with tokenizer_config.json or chat_template.jinja, GGUF file, or a name in the store")
      ->required();
  CLI::Option* file = line.app().add_option("-f,--file", arguments->file,
                                            "a conversation: {\"messages\": [...], \"tools\": [...], "
                                            "\"add_generation_prompt\": true, ...}; - is stdin");
  CLI::Option* jsonl = line.app().add_option(
      "--jsonl", arguments->jsonl, "many, one a line, to lines of {\"text\": ...} or {\"error\": ...}");
  file->excludes(jsonl);
  line.app().add_option("--template", arguments->template_name, "one of several templates, by its name");
  line.app().add_flag("--ids", arguments->ids,
                      "print the tokens too, special ones only where the template wrote them");
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
