#include "infer/tool_grammar.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "infer/constraint.h"

namespace quern::infer {

namespace {

using Json = nlohmann::ordered_json;

// The schema of arguments, which are an object even where the schema does not say so.
Result<std::string> arguments_schema(const Json& function, const std::string& name) {
  Json schema = function.value("parameters", Json());
  if (schema.is_null()) schema = {{"properties", Json::object()}};
  const Json type = schema.is_object() ? schema.value("type", Json("object")) : Json();
  const bool object =
      type == "object" || (type.is_array() && std::ranges::find(type, "object") != type.end());
  if (!object) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("tools: the parameters of '{}' are to be the schema of an object, got {}",
                                  name, json_excerpt(function["parameters"])),
                      R"(give {"type": "object", "properties": ...})");
  }
  schema["type"] = "object";
  return schema.dump();
}

// A string of GBNF.
std::string gbnf_string(std::string_view bytes) {
  std::string text = "\"";
  for (const char byte : bytes) {
    if (byte == '"' || byte == '\\') text += '\\';
    text += byte == '\n' ? std::string("\\n") : std::string(1, byte);
  }
  return text + '"';
}

// How a form writes calls, as parts of GBNF around {"name": ..., key: ...}.
struct CallLayout {
  std::string_view opener;              // what the parser knows calls by; none where they stand bare
  std::string open, close = {};         // around all
  std::string before = {}, after = {};  // around each
  std::string between;
  std::string_view key = "arguments";
};

CallLayout call_layout(ToolCallForm form, const text::Tokenizer& tokenizer) {
  const auto marker = [&](std::string_view text) { return gbnf_string(spelling_of(tokenizer, text)); };
  switch (form) {
    case ToolCallForm::hermes:
      return {.opener = kHermesOpener,
              .open = {},
              .before = marker(kHermesOpener) + R"( "\n")",
              .after = R"("\n" )" + marker(kHermesCloser),
              .between = R"("\n")"};
    case ToolCallForm::mistral:
      return {.opener = kMistralOpener,
              .open = marker(kMistralOpener) + R"( " "? "[")",
              .close = R"("]")",
              .between = R"(", ")"};
    case ToolCallForm::mistral_args:
      return {.opener = kMistralOpener, .open = {}, .before = marker(kMistralOpener), .between = {}};
    case ToolCallForm::llama:
      return {.opener = {}, .open = {}, .between = R"("; ")", .key = "parameters"};
    case ToolCallForm::plain:
      break;
  }
  return {.opener = {}, .open = {}, .between = R"("\n")"};
}

}  // namespace

Result<std::vector<ToolFunction>> read_functions(const Json& tools) {
  std::vector<ToolFunction> functions;
  for (const Json& tool : tools) {
    const Json& function = tool.is_object() && tool.contains("function") ? tool["function"] : tool;
    if (!function.is_object() || !function.value("name", Json()).is_string() || function["name"] == "") {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("tools: expected functions with a name, got {}", json_excerpt(tool)),
                        R"(give {"type": "function", "function": {"name": ..., "parameters": ...}})");
    }
    auto name = function["name"].get<std::string>();
    QUERN_TRY(std::string parameters, arguments_schema(function, name));
    functions.push_back({std::move(name), std::move(parameters), function.value("strict", Json()) == true});
  }
  return functions;
}

CallGrammar call_grammar(ToolCallForm form, std::span<const ToolFunction> functions, bool parallel,
                         const text::Tokenizer& tokenizer) {
  const CallLayout layout = call_layout(form, tokenizer);
  CallGrammar result{.constraint = {grammar::Constraint::Kind::gbnf}, .trigger = {}};
  std::string choices;
  for (size_t i = 0; i < functions.size(); ++i) {
    const std::string schema = fmt::format("arguments-{}", i), &name = functions[i].name;
    result.constraint.schemas[schema] = functions[i].parameters;
    if (i > 0) choices += " | ";
    if (form == ToolCallForm::mistral_args) {
      choices += gbnf_string(name + spelling_of(tokenizer, kMistralArguments)) + ' ' + schema;
    } else {
      const std::string head = fmt::format(R"({{"name": {}, "{}": )", Json(name).dump(), layout.key);
      choices += gbnf_string(head) + ' ' + schema + R"( "}")";
    }
  }
  const std::string more = parallel ? fmt::format("({} call)*", layout.between) : std::string();
  result.constraint.text = fmt::format("root ::= {} call {} {}\ncall ::= {} ({}) {}\n", layout.open, more,
                                       layout.close, layout.before, choices, layout.after);
  const std::string bare = R"({"name": ")";
  result.trigger = layout.opener.empty() ? ConstraintStart::Trigger{bare, false, bare}
                                         : ConstraintStart::Trigger{std::string(layout.opener), true,
                                                                    spelling_of(tokenizer, layout.opener)};
  return result;
}

}  // namespace quern::infer
