#include "server/chat_call.h"

#include <fmt/format.h>

#include <utility>

#include "base/json.h"

namespace quern::server {

namespace {

const std::vector<std::string> kOwnKeys = {"messages",
                                           "tools",
                                           "documents",
                                           "add_generation_prompt",
                                           "continue_final_message",
                                           "chat_template_kwargs",
                                           "logprobs",
                                           "top_logprobs",
                                           "tool_choice",
                                           "parallel_tool_calls",
                                           "reasoning_effort"};

struct LogprobFields {
  bool logprobs = false;
  int64_t top_logprobs = 0;
  void fields(Fields& f) {
    f.add("logprobs", logprobs, "tell the log-probability of each token");
    f.add("top_logprobs", top_logprobs, "likeliest tokens to tell beside each").range(0, 20);
  }
};

Result<void> read_logprobs(const Json& body, TextRequest& request) {
  LogprobFields wanted;
  Json mine = Json::object();
  for (const char* key : {"logprobs", "top_logprobs"}) {
    if (body.contains(key)) mine[key] = body[key];
  }
  Fields fields = fields_of(wanted);
  QUERN_TRY(const auto unknown, fields.load_json(mine, "request"));
  if (wanted.top_logprobs > 0 && !wanted.logprobs) {
    return make_error(ErrorCode::invalid_argument, "request: top_logprobs needs logprobs",
                      "say \"logprobs\": true as well");
  }
  request.logprobs = wanted.logprobs;
  request.top_logprobs = wanted.top_logprobs;
  return {};
}

// Whether the answer may call tools: tool_choice, which is "auto" where there are some.
Result<bool> read_tool_choice(const Json& body, const text::ChatRequest& chat) {
  const bool any = chat.tools.is_array() && !chat.tools.empty();
  const Json choice = body.value("tool_choice", Json(any ? "auto" : "none"));
  if (choice.is_null() || choice == "auto") return any;
  if (choice == "none") return false;
  return make_error(
      ErrorCode::unsupported,
      fmt::format("request: tool_choice must be \"auto\" or \"none\", got {}", json_excerpt(choice)),
      "answers cannot be held to a tool yet");
}

}  // namespace

Result<ChatCall> read_chat(const Json& body, const ModelTable& models, const Caller* caller) {
  ChatCall call;
  QUERN_TRY(call.text, read_text_request(body, kOwnKeys, models, caller));
  QUERN_CHECK(read_logprobs(body, call.text));
  if (call.text.best_of > 0)
    return make_error(ErrorCode::invalid_argument, "request: best_of is not for conversations", "use n");
  QUERN_TRY(text::ChatRequest chat, read_conversation(body));
  if (chat.messages.empty())
    return make_error(ErrorCode::invalid_argument, "request: messages are missing",
                      "give at least one message");
  QUERN_TRY(const bool tools, read_tool_choice(body, chat));
  if (!tools) chat.tools = nullptr;
  const infer::LoadedModel& loaded = *call.text.model->loaded;
  if (tools) {
    QUERN_TRY(const std::string_view source, loaded.templates.source_for(chat));
    call.tools = infer::tool_call_form(source);
  }
  QUERN_TRY(text::ChatPrompt prompt, text::render_prompt(loaded.templates, chat, loaded.tokenizer));
  call.tokens = infer::encode_chat(loaded, prompt);
  call.prompt = std::move(prompt.text);
  return call;
}

Result<ChatCall> read_plain(const Json& body, std::string prompt, const ModelTable& models,
                            const Caller* caller) {
  ChatCall call;
  QUERN_TRY(call.text, read_text_request(body, kOwnKeys, models, caller));
  QUERN_CHECK(read_logprobs(body, call.text));
  call.tokens = infer::encode_prompt(call.text.model->loaded->tokenizer, prompt);
  call.prompt = std::move(prompt);
  return call;
}

std::vector<engine::Request> ChatCall::requests() const {
  std::vector<engine::Request> requests;
  for (int64_t i = 0; i < text.n; ++i) requests.push_back(to_engine_request(text, tokens, i));
  return requests;
}

}  // namespace quern::server
