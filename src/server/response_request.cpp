#include "server/response_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/config.h"
#include "base/json.h"
#include "server/api_format.h"
#include "server/response_input.h"

namespace quern::server {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostMetadata = 16;

struct OwnFields {
  std::string instructions, previous, truncation = "disabled";
  bool store = true, background = false;
  int64_t top_logprobs = 0;
  std::vector<std::string> include;
  void fields(Fields& f) {
    f.add("instructions", instructions, "what the model is told before the conversation");
    f.add("previous_response_id", previous, "the response that the input follows");
    f.add("truncation", truncation, "what to do where the context is too short").one_of({"disabled"});
    f.add("store", store, "keep the response, so that others may follow it");
    f.add("background", background, "answer later");
    f.add("top_logprobs", top_logprobs, "likeliest tokens to tell beside each").range(0, 20);
    f.add("include", include, "what else to tell");
  }
};

// Read here, and no words of a conversation's body.
constexpr std::array<std::string_view, 14> kResponseKeys{
    "input",        "instructions",  "previous_response_id",
    "truncation",   "store",         "background",
    "top_logprobs", "include",       "text",
    "reasoning",    "tools",         "max_output_tokens",
    "tool_choice",  "max_tool_calls"};
// Of OpenAI's servers alone.
constexpr std::array<std::string_view, 3> kUnsupported{"conversation", "prompt", "background"};

Result<void> check_metadata(const Json& body) {
  const auto found = body.find("metadata");
  if (found == body.end() || found->is_null()) return {};
  const bool texts = found->is_object() && found->size() <= kMostMetadata &&
                     std::ranges::all_of(*found, [](const Json& value) { return value.is_string(); });
  if (!texts) return wrong_value("metadata", "an object of at most 16 texts", *found);
  return {};
}

// {"format": {"type", "name", "schema", ...}, "verbosity"}
Result<void> read_text_config(const Json& body, ResponseRequest& request) {
  const Json text = body.value("text", Json());
  Json format = {{"type", "text"}};
  if (!text.is_null()) {
    if (!text.is_object()) return wrong_value("text", "an object", text);
    if (const Json given = text.value("format", Json()); !given.is_null()) format = given;
  }
  request.echo["text"] = {{"format", format}};
  if (format.is_object() && format.value("type", Json()) == "json_schema") {
    format = {{"type", "json_schema"}, {"json_schema", format}};
  }
  if (format != Json({{"type", "text"}})) request.chat["response_format"] = std::move(format);
  return {};
}

Result<void> read_reasoning(const Json& body, ResponseRequest& request) {
  const Json reasoning = body.value("reasoning", Json());
  if (!reasoning.is_null() && !reasoning.is_object()) return wrong_value("reasoning", "an object", reasoning);
  Json effort;
  if (reasoning.is_object()) effort = reasoning.value("effort", Json());
  if (!effort.is_null()) request.chat["reasoning_effort"] = effort;
  request.echo["reasoning"] = {{"effort", effort}, {"summary", nullptr}};
  return {};
}

// {"type": "function", "name", ...} for {"type": "function", "function": {"name", ...}}
Result<Json> read_tools(const Json& tools) {
  if (!tools.is_array()) return wrong_value("tools", "a list", tools);
  Json list = Json::array();
  for (const Json& tool : tools) {
    const bool function = tool.is_object() && tool.value("type", Json()) == "function";
    if (!tool.is_object() || (function && !tool.value("name", Json()).is_string()))
      return wrong_value("tools", R"({"type": "function", "name": ..., "parameters": ...})", tool);
    if (!function) {
      return make_error(
          ErrorCode::invalid_argument,
          fmt::format("request: there is no tool of type {} here", json_excerpt(tool.value("type", Json()))),
          "give functions, which your program calls");
    }
    Json named = tool;
    named.erase("type");
    list.push_back({{"type", "function"}, {"function", std::move(named)}});
  }
  return list;
}

Result<void> read_tool_use(const Json& body, ResponseRequest& request) {
  const Json tools = body.value("tools", Json()), choice = body.value("tool_choice", Json());
  if (!tools.is_null()) {
    QUERN_TRY(request.chat["tools"], read_tools(tools));
  }
  if (choice.is_object() && choice.value("type", Json()) == "function" && choice.contains("name")) {
    request.chat["tool_choice"] = {{"type", "function"}, {"function", {{"name", choice["name"]}}}};
  } else if (!choice.is_null()) {
    request.chat["tool_choice"] = choice;
  }
  request.echo["tools"] = tools.is_null() ? Json::array() : tools;
  request.echo["tool_choice"] = choice.is_null() ? Json("auto") : choice;
  return {};
}

Result<void> read_own_fields(const Json& body, ResponseRequest& request) {
  OwnFields own;
  Fields fields = fields_of(own);
  Json mine = Json::object();
  for (const auto& [key, value] : body.items()) {
    if (fields.find(key) != nullptr) mine[key] = value;
  }
  QUERN_TRY(const auto unknown, fields.load_json(mine, "request"));
  const bool logprobs = own.top_logprobs > 0 ||
                        std::ranges::find(own.include, "message.output_text.logprobs") != own.include.end();
  if (logprobs) {
    request.chat["logprobs"] = true;
    request.chat["top_logprobs"] = own.top_logprobs;
  }
  request.instructions = own.instructions;
  request.previous = own.previous;
  request.store = own.store;
  request.echo["instructions"] = own.instructions.empty() ? Json(nullptr) : Json(own.instructions);
  request.echo["previous_response_id"] = own.previous.empty() ? Json(nullptr) : Json(own.previous);
  request.echo["store"] = own.store;
  request.echo["top_logprobs"] = own.top_logprobs;
  request.echo["truncation"] = own.truncation;
  return {};
}

}  // namespace

Result<ResponseRequest> read_response_request(const Json& body) {
  if (!body.is_object()) return wrong_value("the body", "an object", body);
  for (const std::string_view key : kUnsupported) {
    const auto found = body.find(key);
    if (found == body.end() || found->is_null() || *found == false) continue;
    return make_error(ErrorCode::invalid_argument, fmt::format("request: {} is not supported", key));
  }
  if (body.value("n", Json(1)) != 1)
    return make_error(ErrorCode::invalid_argument, "request: n is not for responses", "ask again");
  ResponseRequest request;
  request.chat = body;
  for (const std::string_view key : kResponseKeys) request.chat.erase(std::string(key));
  request.echo = {{"background", false},
                  {"parallel_tool_calls", body.value("parallel_tool_calls", Json(true))},
                  {"max_output_tokens", body.value("max_output_tokens", Json())},
                  {"metadata", body.value("metadata", Json::object())},
                  {"user", body.value("user", Json())}};
  if (const auto limit = body.find("max_output_tokens"); limit != body.end())
    request.chat["max_tokens"] = *limit;
  QUERN_CHECK(check_metadata(body));
  QUERN_CHECK(read_own_fields(body, request));
  QUERN_CHECK(read_text_config(body, request));
  QUERN_CHECK(read_reasoning(body, request));
  QUERN_CHECK(read_tool_use(body, request));
  QUERN_TRY(request.messages, messages_of_input(body.value("input", Json())));
  return request;
}

}  // namespace quern::server
