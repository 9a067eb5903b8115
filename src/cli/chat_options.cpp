#include "cli/chat_options.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "infer/template_audit.h"
#include "text/jinja/template.h"

namespace quern::cli {

namespace {

// Messages one after another, for models that know no chat form.
constexpr std::string_view kPlainTemplate =
    "{% for message in messages %}{{ message.content }}{{ '' if loop.last else '\n' }}{% endfor %}";

Result<nlohmann::ordered_json> read_tools(const std::string& path) {
  QUERN_TRY(const std::string text, read_file(path, kMaxJsonFile));
  QUERN_CHECK(parse_json(text, path));
  nlohmann::ordered_json tools = nlohmann::ordered_json::parse(text);
  if (tools.is_object() && tools.contains("tools")) tools = nlohmann::ordered_json(tools["tools"]);
  if (tools.is_array()) return tools;
  return make_error(ErrorCode::invalid_argument, path + ": expected a list of tools",
                    R"(like [{"type": "function", "function": {"name": ..., "parameters": ...}}])");
}

}  // namespace

void ChatOptions::define(CommandLine& line) {
  CLI::App& app = line.app();
  app.add_option("--system", system, "what the model is told before the conversation");
  CLI::Option* file =
      app.add_option("--template", template_file, "a Jinja file, in place of the model's chat template");
  app.add_flag("--no-template", no_template, "give the messages to the model as they are")->excludes(file);
  app.add_option("--tools", tools_file, "a JSON list of tools for the template; calls are shown as text");
  app.add_option("--keep", keep,
                 "when the context is full, forget whole exchanges, but not the first so many")
      ->check(at_least(0))
      ->capture_default_str();
}

Result<infer::Chat> ChatOptions::open(infer::LoadedModel& loaded, const ModelOptions& model,
                                      bool quiet) const {
  if (no_template) QUERN_CHECK(infer::use_template(loaded, kPlainTemplate));
  if (!template_file.empty()) {
    QUERN_TRY(const std::string source, read_file(template_file, text::jinja::kMaxSource));
    QUERN_CHECK(infer::use_template(loaded, source));
  }
  if (!quiet && !no_template) {
    for (const infer::Finding& finding : infer::audit_template(loaded)) {
      // A template that refuses the audit's messages may take these, and otherwise says why itself.
      const bool said_later = finding.kind == infer::Finding::Kind::refused;
      if (finding.is_mistake() && !said_later) log::warn("chat", "{}", finding.message);
    }
  }
  infer::ChatOptions options{
      .completion = model.completion, .context = model.context, .system = system, .keep = keep};
  if (!tools_file.empty()) {
    QUERN_TRY(options.tools, read_tools(tools_file));
  }
  return infer::Chat::create(loaded, std::move(options));
}

nlohmann::ordered_json to_json(const infer::ChatAnswer& answer) {
  nlohmann::ordered_json json = {{"content", answer.text}};
  if (!answer.reasoning.empty()) json["reasoning_content"] = answer.reasoning;
  if (answer.forgotten.exchanges > 0) {
    json["forgotten"] = {{"exchanges", answer.forgotten.exchanges},
                         {"tokens_before", answer.forgotten.tokens_before},
                         {"tokens_after", answer.forgotten.tokens_after}};
  }
  json.update(to_json(answer.completion));
  return json;
}

}  // namespace quern::cli
