#include "data/examples/messages.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/json.h"

namespace quern::data {

namespace {

using Json = nlohmann::ordered_json;

struct RoleName {
  std::string_view name;
  std::string_view role;
};
// "call" stands for a message that is nothing but calls of tools.
constexpr std::array<RoleName, 19> kRoles = {{{"system", "system"},
                                              {"developer", "system"},
                                              {"user", "user"},
                                              {"human", "user"},
                                              {"prompter", "user"},
                                              {"assistant", "assistant"},
                                              {"gpt", "assistant"},
                                              {"chatgpt", "assistant"},
                                              {"bot", "assistant"},
                                              {"model", "assistant"},
                                              {"tool", "tool"},
                                              {"ipython", "tool"},
                                              {"function", "tool"},
                                              {"observation", "tool"},
                                              {"function_response", "tool"},
                                              {"tool_response", "tool"},
                                              {"function_call", "call"},
                                              {"tool_call", "call"},
                                              {"tool_calls", "call"}}};

std::optional<std::string_view> role_of(std::string_view name) {
  for (const RoleName& known : kRoles)
    if (known.name == name) return known.role;
  return std::nullopt;
}

// Text, or parts that are all text.
Refusal read_text(const Json& json, const std::string& field, std::string& text) {
  constexpr std::string_view kExpected = "text, or a list of parts of type text";
  if (json.is_string()) {
    text = json.get<std::string>();
    return {};
  }
  if (!json.is_array()) return bad_value(field, kExpected, json);
  for (const Json& part : json) {
    const bool is_text =
        part.is_object() && part.value("type", Json()) == "text" && part.value("text", Json()).is_string();
    if (!is_text) return bad_value(field, kExpected, part);
    text += part["text"].get<std::string>();
  }
  return {};
}

// JSON that stands in a text, or itself.
Refusal read_inner(const Json& json, std::string_view field, Json& inner) {
  if (!json.is_string()) {
    inner = json;
    return {};
  }
  Result<Json> parsed = parse_ordered_json(json.get_ref<const std::string&>(), field);
  if (!parsed.ok()) return {Fault::bad_value, parsed.error().message};
  inner = *std::move(parsed);
  return {};
}

// {"name", "arguments"}, in "function" or not.
Refusal read_call(const Json& json, const std::string& field, Json& call) {
  const Json* function = &json;
  if (json.is_object() && json.contains("function")) function = &json["function"];
  const Json name = function->is_object() ? function->value("name", Json()) : Json();
  if (!name.is_string() || name.get_ref<const std::string&>().empty())
    return bad_value(field, R"({"name": ..., "arguments": {...}})", json);
  Json arguments = Json::object();
  const char* key =
      function->contains("parameters") && !function->contains("arguments") ? "parameters" : "arguments";
  if (function->contains(key)) {
    if (Refusal refusal = read_inner((*function)[key], field + ".arguments", arguments)) return refusal;
  }
  if (!arguments.is_object()) return bad_value(field + ".arguments", "an object", arguments);
  call = Json::object();
  if (function != &json && json.value("id", Json()).is_string()) call["id"] = json["id"];
  call["type"] = "function";
  call["function"] = {{"name", name}, {"arguments", std::move(arguments)}};
  return {};
}

// One call or a list of them, or the text of either.
Refusal read_calls(const Json& json, const std::string& field, Json& calls) {
  Json inner;
  if (Refusal refusal = read_inner(json, field, inner)) return refusal;
  if (!inner.is_array()) inner = Json::array({inner});
  calls = Json::array();
  for (size_t i = 0; i < inner.size(); ++i) {
    Json call;
    if (Refusal refusal = read_call(inner[i], fmt::format("{}[{}]", field, i), call)) return refusal;
    calls.push_back(std::move(call));
  }
  return {};
}

// "train": true or false, or OpenAI's "weight": 1 or 0.
Refusal read_learnt(const Json& json, const std::string& field, bool assistant, Json& message) {
  bool learnt = assistant;
  for (const char* key : {"train", "weight"}) {
    const Json value = json.value(key, Json());
    if (value.is_null()) continue;
    const std::optional<bool> flag = flag_of(value);
    if (!flag) return bad_value(fmt::format("{}.{}", field, key), "true or false, 1 or 0", value);
    learnt = *flag;
    if (learnt && !assistant)
      return {Fault::bad_value, fmt::format("{}.{}: only what the assistant says can be learnt", field, key)};
  }
  if (assistant && !learnt) message["train"] = false;
  return {};
}

Refusal read_role(const Json& json, const std::string& field, std::string_view& role) {
  const char* key = json.contains("role") ? "role" : "from";
  if (!json.contains(key)) return {Fault::missing_field, field + ".role"};
  if (!json[key].is_string()) return bad_value(fmt::format("{}.{}", field, key), "text", json[key]);
  const auto known = role_of(json[key].get_ref<const std::string&>());
  if (!known)
    return {Fault::bad_role, fmt::format("{}.{}: expected system, user, assistant or tool, got {}", field,
                                         key, json_excerpt(json[key]))};
  role = *known;
  return {};
}

// The calls of the message, in whichever field they are.
Refusal read_message_calls(const Json& json, const std::string& field, Json& calls) {
  if (const Json list = json.value("tool_calls", Json());
      !list.is_null() && !(list.is_array() && list.empty()))
    return read_calls(list, field + ".tool_calls", calls);
  if (const Json call = json.value("function_call", Json()); !call.is_null())
    return read_calls(call, field + ".function_call", calls);
  return {};
}

Refusal read_message(const Json& json, const std::string& field, Json& message, bool& only_calls) {
  if (!json.is_object()) return bad_value(field, "an object", json);
  std::string_view role;
  if (Refusal refusal = read_role(json, field, role)) return refusal;
  only_calls = role == "call";
  const bool assistant = only_calls || role == "assistant";
  const char* key = json.contains("content") || !json.contains("value") ? "content" : "value";
  const Json content = json.value(key, Json());
  Json calls;
  if (only_calls) {
    if (Refusal refusal = read_calls(content, fmt::format("{}.{}", field, key), calls)) return refusal;
  } else if (assistant) {
    if (Refusal refusal = read_message_calls(json, field, calls)) return refusal;
  }
  std::string text;
  if (!only_calls && !content.is_null()) {
    if (Refusal refusal = read_text(content, fmt::format("{}.{}", field, key), text)) return refusal;
  } else if (calls.is_null()) {
    return {Fault::missing_field, fmt::format("{}.{}", field, key)};
  }
  message = message_of(assistant ? "assistant" : role, text);
  for (const char* name : {"name", "tool_call_id"})
    if (json.value(name, Json()).is_string()) message[name] = json[name];
  for (const char* name : {"reasoning_content", "thinking", "reasoning"})
    if (assistant && json.value(name, Json()).is_string() && !message.contains("reasoning_content"))
      message["reasoning_content"] = json[name];
  if (!calls.is_null()) message["tool_calls"] = std::move(calls);
  return read_learnt(json, field, assistant, message);
}

}  // namespace

Refusal bad_value(std::string_view field, std::string_view expected, const Json& got) {
  return {Fault::bad_value, fmt::format("{}: expected {}, got {}", field, expected, json_excerpt(got))};
}

std::optional<bool> flag_of(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (!json.is_number()) return std::nullopt;
  const auto number = json.get<double>();
  if (number != 0.0 && number != 1.0) return std::nullopt;
  return number == 1.0;
}

Json message_of(std::string_view role, std::string_view content) {
  return {{"role", std::string(role)}, {"content", std::string(content)}};
}

Refusal read_messages(const Json& json, std::string_view field, Json& messages) {
  const Json list = json.is_array() ? json : Json::array({json});
  messages = Json::array();
  for (size_t i = 0; i < list.size(); ++i) {
    Json message;
    bool only_calls = false;
    const std::string place = json.is_array() ? fmt::format("{}[{}]", field, i) : std::string(field);
    if (Refusal refusal = read_message(list[i], place, message, only_calls)) return refusal;
    const bool joins = only_calls && !messages.empty() && messages.back()["role"] == "assistant" &&
                       !messages.back().contains("tool_calls");
    if (joins)
      messages.back()["tool_calls"] = std::move(message["tool_calls"]);
    else
      messages.push_back(std::move(message));
  }
  return {};
}

Refusal read_tools(const Json& json, Json& tools) {
  const bool is_empty_text = json.is_string() && json.get_ref<const std::string&>().empty();
  if (json.is_null() || is_empty_text) return {};
  Json list;
  if (Refusal refusal = read_inner(json, "tools", list)) return refusal;
  if (!list.is_array()) return bad_value("tools", "a list", list);
  if (list.empty()) return {};
  tools = Json::array();
  for (size_t i = 0; i < list.size(); ++i) {
    const Json function = list[i].is_object() ? list[i].value("function", list[i]) : Json();
    if (!function.is_object() || !function.value("name", Json()).is_string())
      return bad_value(fmt::format("tools[{}]", i), "a function with a name", list[i]);
    tools.push_back({{"type", "function"}, {"function", function}});
  }
  return {};
}

Refusal check_order(const Json& messages) {
  const auto refuse = [](size_t i, std::string_view what) {
    return Refusal{Fault::bad_order, fmt::format("message {}: {}", i, what)};
  };
  for (size_t i = 0; i < messages.size(); ++i) {
    const auto& role = messages[i]["role"].get_ref<const std::string&>();
    if (role == "system") {
      if (i > 0) return refuse(i, "the system may speak only first");
      continue;
    }
    const bool first = i == 0 || messages[i - 1]["role"] == "system";
    const Json before = first ? Json() : messages[i - 1]["role"];
    if (role == "user" && !first && before != "assistant")
      return refuse(i, fmt::format("the user speaks after {}", before == "user" ? "the user" : "a tool"));
    const bool called = before == "assistant" && messages[i - 1].contains("tool_calls");
    if (role == "user" && called) return refuse(i, "the user speaks before the tools that were called");
    if (role == "assistant" && first) return refuse(i, "the assistant answers before anybody asked");
    if (role == "assistant" && before == "assistant") return refuse(i, "the assistant speaks twice in a row");
    if (role == "tool" && !called && before != "tool")
      return refuse(i, "a tool answers though nobody called it");
  }
  return {};
}

}  // namespace quern::data
