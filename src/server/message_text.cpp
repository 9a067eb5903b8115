#include "server/message_text.h"

#include <fmt/format.h>

#include "base/json.h"
#include "server/api_format.h"

namespace quern::server {

namespace {

using Json = nlohmann::ordered_json;

Result<std::string> text_of_part(const Json& part, const std::string& name) {
  const std::string_view expected = R"({"type": "text", "text": ...})";
  if (!part.is_object() || !part.contains("type") || !part["type"].is_string())
    return wrong_value(name, expected, part);
  const auto type = part["type"].get<std::string>();
  const bool text = type == "text" || type == "input_text" || type == "output_text";
  if (!text && type != "refusal") {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("request: {} has a part of type {}", name, type),
                      "models here read text only");
  }
  const auto said = part.find(text ? "text" : "refusal");
  if (said == part.end() || !said->is_string()) return wrong_value(name, expected, part);
  return said->get<std::string>();
}

// Only objects: an argument that is no JSON is the model's own mistake, which it should see.
void read_arguments(Json& call) {
  if (!call.is_object() || !call.contains("function") || !call["function"].is_object()) return;
  const auto arguments = call["function"].find("arguments");
  if (arguments == call["function"].end() || !arguments->is_string()) return;
  Result<Json> parsed = parse_ordered_json(arguments->get_ref<const std::string&>(), "arguments");
  if (parsed.ok() && parsed->is_object()) *arguments = *std::move(parsed);
}

}  // namespace

Result<std::string> text_of(const Json& content, const std::string& name) {
  if (content.is_null()) return std::string();
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return wrong_value(name, "text, or a list of parts", content);
  std::string text;
  for (const Json& part : content) {
    QUERN_TRY(const std::string said, text_of_part(part, name));
    text += said;
  }
  return text;
}

Result<void> normalize_messages(Json& messages) {
  if (!messages.is_array()) return {};
  for (size_t i = 0; i < messages.size(); ++i) {
    Json& message = messages[i];
    if (!message.is_object()) continue;
    if (const auto content = message.find("content"); content != message.end() && content->is_array()) {
      QUERN_TRY(*content, text_of(*content, fmt::format("messages[{}].content", i)));
    }
    // Beside calls there often is none, and templates join it all the same.
    if (message.value("role", Json()) == "assistant" && message.value("content", Json()).is_null())
      message["content"] = "";
    if (const auto calls = message.find("tool_calls"); calls != message.end() && calls->is_array()) {
      for (Json& call : *calls) read_arguments(call);
    }
  }
  return {};
}

}  // namespace quern::server
