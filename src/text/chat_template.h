// A model's chat templates: conversations as the text the model was trained on.
//
// Templates, special tokens and what a template sees follow apply_chat_template() of transformers, so that the
// same tokenizer_config.json gives the same prompt, to the byte.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/jinja/template.h"

namespace quern::text {

// One conversation to render. JSON keeps the order of its keys, which templates print.
struct ChatRequest {
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();  // {"role": ..., "content": ..., ...}
  nlohmann::ordered_json tools;      // a list of {"type": "function", "function": ...}, or null
  nlohmann::ordered_json documents;  // a list of {"title": ..., "text": ...}, or null
  // More variables for the template (chat_template_kwargs), by name; they win over special tokens.
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();
  bool add_generation_prompt = false;  // end with the header of the assistant's answer
  // The field of the last message the model is to go on with ("content"); nothing closes it then. Empty: none.
  std::string continue_field;
  std::string template_name;  // empty: "tool_use" when there are tools and such a template, else "default"
};

// A request as clients write it: "messages", "tools", "documents", "add_generation_prompt", "continue_final_message"
// (true, or the name of a field) and "chat_template_kwargs"; other keys are left alone. invalid_argument for a value
// of another type.
Result<ChatRequest> chat_request_from_json(const nlohmann::ordered_json& request);

// Const methods are thread-safe.
class ChatTemplates {
 public:
  // From a model folder: tokenizer_config.json, then chat_template.jinja and additional_chat_templates/*.jinja, which
  // win. A folder without any gives an empty set.
  static Result<ChatTemplates> load(const std::filesystem::path& folder);
  // From a parsed tokenizer_config.json: "chat_template" (text, or a list of {"name", "template"}) and the
  // special tokens (text, or {"content": ...}). `source` names the file in errors. A config without templates
  // gives an empty set.
  static Result<ChatTemplates> from_config(const nlohmann::ordered_json& config, std::string_view source);

  // Adds or replaces a template: chat_template.jinja, tokenizer.chat_template of a GGUF and the like are
  // "default". Errors: those of jinja::Template::parse.
  Result<void> add(const std::string& name, std::string_view source);
  // Variables such as "bos_token" that every rendering has.
  void set_special_token(std::string name, std::string text) { tokens_[std::move(name)] = std::move(text); }

  bool empty() const { return templates_.empty(); }
  std::vector<std::string> names() const;
  // The text of the template that renders the request; not_found when there is none.
  Result<std::string_view> source_for(const ChatRequest& request) const;
  const std::map<std::string, std::string>& special_tokens() const { return tokens_; }

  // Errors: invalid_argument for messages that are not what a template can take, among them what it refuses
  // itself; not_found for an unknown template; those of jinja::Template::render.
  Result<jinja::Rendered> render(const ChatRequest& request, const jinja::RenderOptions& options = {}) const;

 private:
  Result<const jinja::Template*> choose(const ChatRequest& request) const;

  std::map<std::string, jinja::Template> templates_;
  std::map<std::string, std::string> tokens_;
};

}  // namespace quern::text
