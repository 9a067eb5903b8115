#include "server/response_input.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

#include "base/json.h"
#include "server/api_format.h"
#include "server/message_text.h"

namespace quern::server {

namespace {

using Json = nlohmann::ordered_json;

class Messages {
 public:
  Result<void> add(const Json& item, const std::string& name) {
    if (!item.is_object()) return wrong_value(name, "an object", item);
    const Json type = item.value("type", Json("message"));
    if (type == "message") return add_message(item, name);
    if (type == "function_call") return add_call(item, name);
    if (type == "function_call_output") return add_output(item, name);
    if (type == "reasoning") return add_reasoning(item, name);
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("request: {} is of type {}", name, json_excerpt(type)),
                      "there are: message, function_call, function_call_output, reasoning");
  }
  Json take() { return std::move(list_); }

 private:
  Result<void> add_message(const Json& item, const std::string& name) {
    const Json role = item.value("role", Json());
    if (role != "user" && role != "assistant" && role != "system" && role != "developer")
      return wrong_value(name + ".role", "user, assistant, system or developer", role);
    QUERN_TRY(std::string content, text_of(item.value("content", Json()), name + ".content"));
    if (role == "assistant" && follows_reasoning_) {
      last()["content"] = std::move(content);
    } else {
      // To templates, developers are the system.
      list_.push_back(
          {{"role", role == "developer" ? Json("system") : role}, {"content", std::move(content)}});
    }
    follows_reasoning_ = false;
    return {};
  }

  Result<void> add_call(const Json& item, const std::string& name) {
    const Json called = item.value("name", Json()), id = item.value("call_id", Json()),
               arguments = item.value("arguments", Json("{}"));
    if (!called.is_string() || !id.is_string() || !arguments.is_string())
      return wrong_value(name, "a call with name, call_id and arguments as text", item);
    names_[id.get<std::string>()] = called.get<std::string>();
    assistant()["tool_calls"].push_back(
        {{"id", id}, {"type", "function"}, {"function", {{"name", called}, {"arguments", arguments}}}});
    follows_reasoning_ = false;
    return {};
  }

  Result<void> add_output(const Json& item, const std::string& name) {
    const Json id = item.value("call_id", Json());
    if (!id.is_string()) return wrong_value(name + ".call_id", "text", id);
    QUERN_TRY(std::string content, text_of(item.value("output", Json()), name + ".output"));
    Json message = {{"role", "tool"}, {"tool_call_id", id}, {"content", std::move(content)}};
    if (const auto called = names_.find(id.get<std::string>()); called != names_.end())
      message["name"] = called->second;
    list_.push_back(std::move(message));
    follows_reasoning_ = false;
    return {};
  }

  // {"content": [{"type": "reasoning_text", "text"}]}: what came encrypted, or as a summary alone, is not ours.
  Result<void> add_reasoning(const Json& item, const std::string& name) {
    const Json content = item.value("content", Json());
    if (!content.is_null() && !content.is_array()) return wrong_value(name + ".content", "a list", content);
    std::string thought;
    for (const Json& part : content) {
      if (!part.is_object() || !part.value("text", Json()).is_string())
        return wrong_value(name + ".content", R"({"type": "reasoning_text", "text": ...})", part);
      thought += part["text"].get<std::string>();
    }
    if (thought.empty()) return {};
    list_.push_back({{"role", "assistant"}, {"content", ""}, {"reasoning_content", std::move(thought)}});
    follows_reasoning_ = true;
    return {};
  }

  Json& last() { return list_.back(); }
  // The message that calls belong to.
  Json& assistant() {
    if (list_.empty() || last()["role"] != "assistant")
      list_.push_back({{"role", "assistant"}, {"content", ""}});
    return last();
  }

  Json list_ = Json::array();
  std::map<std::string, std::string> names_;  // of called functions, by the id of the call
  bool follows_reasoning_ = false;
};

}  // namespace

Result<Json> messages_of_input(const Json& input) {
  if (input.is_string()) return Json::array({{{"role", "user"}, {"content", input}}});
  if (!input.is_array()) return wrong_value("input", "text, or a list of items", input);
  Messages messages;
  for (size_t i = 0; i < input.size(); ++i) QUERN_CHECK(messages.add(input[i], fmt::format("input[{}]", i)));
  return messages.take();
}

}  // namespace quern::server
