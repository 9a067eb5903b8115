#include "text/chat_template.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "text/jinja/python_text.h"
#include "text/json_fields.h"

namespace quern::text {

namespace {

constexpr std::array<std::string_view, 7> kSpecialTokens = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};
// Names a message's reasoning comes under; templates read the first, those of gpt-oss the second.
constexpr std::array<const char*, 3> kReasoningFields = {"reasoning_content", "thinking", "reasoning"};
// Stands where the model is to go on, until the text is cut there. Templates may trim its last character.
constexpr std::string_view kContinueTag = "CONTINUE_FINAL_MESSAGE_TAG ";

Error refuse(std::string message, std::string hint = {}) {
  return make_error(ErrorCode::invalid_argument, std::move(message), std::move(hint));
}

// The message without fields that are null, its reasoning under all names that templates know.
Json normalized(const Json& message) {
  Json result = Json::object();
  Json reasoning;
  for (const char* field : kReasoningFields) {
    if (reasoning.is_null() && message.contains(field)) reasoning = message[field];
  }
  if (!reasoning.is_null()) result["thinking"] = reasoning;
  for (const auto& [name, value] : message.items()) {
    if (!value.is_null()) result[name] = value;
  }
  if (!reasoning.is_null()) result["reasoning_content"] = reasoning;
  return result;
}

Result<Json> normalized_messages(const Json& messages) {
  if (!messages.is_array() || messages.empty()) return refuse("expected a list of at least one message");
  Json result = Json::array();
  for (size_t i = 0; i < messages.size(); ++i) {
    if (!messages[i].is_object()) {
      return refuse(fmt::format("message {}: expected an object, got {}", i, messages[i].type_name()));
    }
    result.push_back(normalized(messages[i]));
  }
  return result;
}

bool is_reasoning(std::string_view field) {
  return std::ranges::find(kReasoningFields, field) != kReasoningFields.end();
}

// The text that a message's field says: itself, or its last part of type text.
Json* continued_text(Json& message, const std::string& field) {
  Json& value = message[field];
  if (value.is_string()) return &value;
  if (!value.is_array()) return nullptr;
  for (auto part = value.rbegin(); part != value.rend(); ++part) {
    if (part->is_object() && part->contains("text") && (*part)["text"].is_string()) return &(*part)["text"];
  }
  return nullptr;
}

// Marks the end of the last message's field and returns what it said.
Result<std::string> tag_last_message(Json& messages, const std::string& field, const std::string& source) {
  Json& last = messages.back();
  if (!last.contains(field)) {
    return refuse(fmt::format("the last message has no \"{}\" to continue", field));
  }
  std::vector<std::string> copies = {field};
  if (is_reasoning(field)) {
    const Json value = last[field];
    std::erase_if(copies, [](const std::string&) { return true; });
    for (const char* name : kReasoningFields) {
      if (last.contains(name) && last[name] == value) copies.emplace_back(name);
    }
  }
  const auto is_read = [&](const std::string& name) { return source.find(name) != source.npos; };
  if (std::ranges::none_of(copies, is_read)) {
    return refuse(fmt::format("the chat template never reads \"{}\", so it cannot be continued", field));
  }
  std::string said;
  for (const std::string& name : copies) {
    Json* const text = continued_text(last, name);
    if (text == nullptr)
      return refuse(fmt::format("\"{}\" of the last message has no text to continue", field));
    said = text->get<std::string>();
    *text = said + std::string(kContinueTag);
  }
  return said;
}

// Cuts the text where the tag stands, with the whitespace before it when the template trimmed the message.
Result<void> cut_at_tag(jinja::Rendered& rendered, const std::string& said) {
  std::string& text = rendered.text;
  const std::string_view bare = jinja::strip(kContinueTag);
  const size_t tag = text.rfind(bare);
  if (tag == text.npos || text.find(jinja::strip(said)) == text.npos) {
    return refuse("the chat template leaves out parts of the last message, so it cannot be continued");
  }
  const bool whole = std::string_view(text).substr(tag).starts_with(kContinueTag);
  text.resize(tag);
  if (!whole) text.resize(jinja::strip_right(text).size());
  for (auto& [begin, end] : rendered.generated) {
    begin = std::min(begin, text.size());
    end = std::min(end, text.size());
  }
  return {};
}

// The document with its keys in their order; limits are those of parse_json.
Result<Json> read_ordered_json(const std::filesystem::path& path) {
  QUERN_TRY(const std::string text, read_file(path, kMaxJsonFile));
  QUERN_CHECK(parse_json(text, path.string()));
  return Json::parse(text);
}

// The value of `key`, or null; invalid_argument unless `fits` takes it.
template <class Fits>
Result<Json> optional_value(const Json& request, const char* key, std::string_view expected, Fits fits) {
  const auto found = request.find(key);
  if (found == request.end() || found->is_null()) return Json();
  if (!fits(*found)) return refuse(fmt::format("{}: expected {}, got {}", key, expected, found->type_name()));
  return *found;
}

// A special token of tokenizer_config.json: text, or an object with its content.
std::optional<std::string> token_text(const Json& config, std::string_view name) {
  const auto found = config.find(name);
  if (found == config.end()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (found->is_object() && found->contains("content") && (*found)["content"].is_string()) {
    return (*found)["content"].get<std::string>();
  }
  return std::nullopt;
}

}  // namespace

Result<ChatRequest> chat_request_from_json(const Json& request) {
  if (!request.is_object()) return refuse(fmt::format("expected an object, got {}", request.type_name()));
  const auto is_list = [](const Json& value) { return value.is_array(); };
  const auto is_flag = [](const Json& value) { return value.is_boolean(); };
  const auto is_object = [](const Json& value) { return value.is_object(); };
  const auto is_field = [](const Json& value) { return value.is_boolean() || value.is_string(); };
  ChatRequest result;
  QUERN_TRY(result.messages, optional_value(request, "messages", "a list", is_list));
  QUERN_TRY(result.tools, optional_value(request, "tools", "a list", is_list));
  QUERN_TRY(result.documents, optional_value(request, "documents", "a list", is_list));
  QUERN_TRY(const Json prompt, optional_value(request, "add_generation_prompt", "true or false", is_flag));
  QUERN_TRY(const Json field,
            optional_value(request, "continue_final_message", "a flag or a name", is_field));
  QUERN_TRY(const Json variables, optional_value(request, "chat_template_kwargs", "an object", is_object));
  result.add_generation_prompt = prompt == true;
  if (field.is_string()) result.continue_field = field.get<std::string>();
  if (field == true) result.continue_field = "content";
  if (!variables.is_null()) result.variables = variables;
  return result;
}

Result<ChatTemplates> ChatTemplates::load(const std::filesystem::path& folder) {
  ChatTemplates result;
  const auto config = folder / "tokenizer_config.json";
  if (std::filesystem::exists(config)) {
    QUERN_TRY(const Json document, read_ordered_json(config));
    QUERN_TRY(result, from_config(document, config.string()));
  }
  const auto add_file = [&](const std::string& name, const std::filesystem::path& path) -> Result<void> {
    QUERN_TRY(const std::string source, read_file(path, jinja::kMaxSource));
    return result.add(name, source);
  };
  if (const auto file = folder / "chat_template.jinja"; std::filesystem::exists(file)) {
    QUERN_CHECK(add_file("default", file));
  }
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "additional_chat_templates", none)) {
    if (entry.path().extension() == ".jinja")
      QUERN_CHECK(add_file(entry.path().stem().string(), entry.path()));
  }
  return result;
}

Result<ChatTemplates> ChatTemplates::from_config(const Json& config, std::string_view source) {
  const auto corrupt = [&](std::string_view what) {
    return make_error(ErrorCode::corrupt, fmt::format("{}: chat_template: expected {}", source, what));
  };
  ChatTemplates result;
  if (!config.is_object()) return corrupt("an object around it");
  for (const std::string_view name : kSpecialTokens) {
    if (std::optional<std::string> token = token_text(config, name)) {
      result.set_special_token(std::string(name), *std::move(token));
    }
  }
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null()) return result;
  if (found->is_string()) {
    QUERN_CHECK(result.add("default", found->get_ref<const std::string&>()));
    return result;
  }
  if (!found->is_array()) return corrupt("text or a list");
  for (const Json& entry : *found) {
    const bool named = entry.is_object() && entry.contains("name") && entry["name"].is_string() &&
                       entry.contains("template") && entry["template"].is_string();
    if (!named) return corrupt("objects with the texts \"name\" and \"template\" in the list");
    QUERN_CHECK(
        result.add(entry["name"].get<std::string>(), entry["template"].get_ref<const std::string&>()));
  }
  return result;
}

Result<void> ChatTemplates::add(const std::string& name, std::string_view source) {
  QUERN_TRY(jinja::Template parsed,
            jinja::Template::parse(source, fmt::format("chat template \"{}\"", name)));
  templates_.insert_or_assign(name, std::move(parsed));
  return {};
}

std::vector<std::string> ChatTemplates::names() const {
  std::vector<std::string> names;
  for (const auto& [name, source] : templates_) names.push_back(name);
  return names;
}

Result<const jinja::Template*> ChatTemplates::choose(const ChatRequest& request) const {
  const bool tool_use = !request.tools.is_null() && templates_.contains("tool_use");
  const std::string name = !request.template_name.empty() ? request.template_name
                           : tool_use                     ? "tool_use"
                                                          : "default";
  const auto found = templates_.find(name);
  if (found != templates_.end()) return &found->second;
  if (empty()) return make_error(ErrorCode::not_found, "this model has no chat template");
  return make_error(ErrorCode::not_found, fmt::format("no chat template named \"{}\"; there are: {}", name,
                                                      fmt::join(names(), ", ")));
}

Result<std::string_view> ChatTemplates::source_for(const ChatRequest& request) const {
  QUERN_TRY(const jinja::Template* const chosen, choose(request));
  return std::string_view(chosen->source());
}

Result<jinja::Rendered> ChatTemplates::render(const ChatRequest& request,
                                              const jinja::RenderOptions& options) const {
  QUERN_TRY(const jinja::Template* const chosen, choose(request));
  QUERN_TRY(Json messages, normalized_messages(request.messages));
  const bool continues = !request.continue_field.empty();
  if (continues && request.add_generation_prompt) {
    return refuse("a conversation cannot both continue its last message and begin an answer");
  }
  std::string said;
  if (continues) {
    QUERN_TRY(said, tag_last_message(messages, request.continue_field, chosen->source()));
  }
  Json variables = Json::object();
  for (const auto& [name, token] : tokens_) variables[name] = token;
  for (const auto& [name, value] : request.variables.items()) variables[name] = value;
  const Json own = {{"messages", std::move(messages)},
                    {"tools", request.tools},
                    {"documents", request.documents},
                    {"add_generation_prompt", request.add_generation_prompt}};
  for (const auto& [name, value] : own.items()) {
    if (request.variables.contains(name)) {
      return refuse(fmt::format("\"{}\" is not a variable that chat_template_kwargs can set", name));
    }
    variables[name] = value;
  }
  QUERN_TRY(jinja::Rendered rendered, chosen->render(variables, options));
  if (continues) QUERN_CHECK(cut_at_tag(rendered, said));
  return rendered;
}

}  // namespace quern::text
