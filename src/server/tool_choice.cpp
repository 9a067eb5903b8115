#include "server/tool_choice.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/nearest.h"
#include "server/api_format.h"

namespace quern::server {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kExpected =
    R"("none", "auto", "required" or {"type": "function", "function": {"name": ...}})";

// The name in {"type": "function", "function": {"name": ...}}.
Result<std::string> function_name(const Json& choice) {
  const Json function = choice.is_object() ? choice.value("function", Json()) : Json();
  if (!function.is_object() || !function.value("name", Json()).is_string())
    return wrong_value("tool_choice", kExpected, choice);
  return function["name"].get<std::string>();
}

// Leaves the functions of these names.
Result<void> keep(std::span<const std::string> names, std::vector<infer::ToolFunction>& functions) {
  std::vector<std::string> known;
  for (const infer::ToolFunction& function : functions) known.push_back(function.name);
  for (const std::string& name : names) {
    if (std::ranges::find(known, name) != known.end()) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("request: tool_choice names '{}', which is not among the tools", name),
                      suggestion(name, known));
  }
  std::erase_if(functions,
                [&](const auto& function) { return std::ranges::find(names, function.name) == names.end(); });
  return {};
}

Result<void> read_mode(const Json& mode, ToolChoice& choice) {
  choice.required = mode == "required";
  if (mode == "none") choice.functions.clear();
  if (choice.required || mode == "none" || mode == "auto") return {};
  return wrong_value("tool_choice", kExpected, mode);
}

// {"type": "allowed_tools", "allowed_tools": {"mode": "auto" or "required", "tools": [...]}}
Result<void> read_allowed(const Json& given, ToolChoice& choice) {
  const Json allowed = given.value("allowed_tools", Json());
  if (!allowed.is_object() || !allowed.value("tools", Json()).is_array())
    return wrong_value("tool_choice", R"(allowed_tools with "mode" and "tools")", given);
  std::vector<std::string> names;
  for (const Json& tool : allowed["tools"]) {
    QUERN_TRY(std::string name, function_name(tool));
    names.push_back(std::move(name));
  }
  QUERN_CHECK(keep(names, choice.functions));
  return read_mode(allowed.value("mode", Json("auto")), choice);
}

Result<void> read_choice(const Json& given, ToolChoice& choice) {
  if (given.is_null()) return {};
  if (given.is_string()) return read_mode(given, choice);
  if (given.is_object() && given.value("type", Json()) == "allowed_tools") return read_allowed(given, choice);
  QUERN_TRY(const std::string name, function_name(given));
  choice.required = true;
  return keep(std::span(&name, 1), choice.functions);
}

// Whose parameters it is that cannot be enforced.
Error named(Error error, std::span<const infer::ToolFunction> functions) {
  for (const infer::ToolFunction& function : functions) {
    if (grammar::compile({grammar::Constraint::Kind::json_schema, function.parameters}).ok()) continue;
    error.message = fmt::format("tools: the parameters of '{}': {}", function.name, error.message);
    break;
  }
  return error;
}

}  // namespace

Result<ToolChoice> read_tool_choice(const Json& body, const Json& tools) {
  ToolChoice choice;
  if (tools.is_array()) {
    QUERN_TRY(choice.functions, infer::read_functions(tools));
  }
  QUERN_CHECK(read_choice(body.value("tool_choice", Json()), choice));
  if (choice.required && choice.functions.empty()) {
    return make_error(ErrorCode::invalid_argument,
                      "request: tool_choice requires a call, and there are no tools", "give \"tools\"");
  }
  const Json parallel = body.value("parallel_tool_calls", Json());
  if (!parallel.is_null() && !parallel.is_boolean())
    return wrong_value("parallel_tool_calls", "true or false", parallel);
  choice.parallel = parallel != false;
  return choice;
}

Result<CallConstraint> call_constraint(const ToolChoice& choice, infer::ToolCallForm form,
                                       const ServedModel& model) {
  infer::CallGrammar grammar =
      infer::call_grammar(form, choice.functions, choice.parallel, model.loaded->tokenizer);
  auto masks = model.forms->get(grammar.constraint);
  const bool strict = choice.required || std::ranges::any_of(choice.functions, &infer::ToolFunction::strict);
  if (!masks.ok() && strict) return named(std::move(masks).error(), choice.functions);
  return CallConstraint{masks.ok() ? *std::move(masks) : nullptr, std::move(grammar.trigger)};
}

}  // namespace quern::server
