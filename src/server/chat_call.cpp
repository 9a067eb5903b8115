#include "server/chat_call.h"

#include <fmt/format.h>

#include <utility>

#include "server/tool_choice.h"

namespace quern::server {

namespace {

const std::vector<std::string> kChatKeys = {"messages",
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

// What the answers are held to, now that the prompt is known: calls, or the form that was asked for, behind what the model
// thinks aloud.
Result<void> hold_answers(const ToolChoice& choice, ChatCall& call) {
  infer::CompletionOptions& options = call.text.options;
  const bool has_form = options.constraint != nullptr;
  if (has_form && choice.required) {
    return make_error(ErrorCode::invalid_argument,
                      "request: tool_choice and response_format both say what the answer must be",
                      "give one of them");
  }
  infer::ConstraintStart start(call.prompt);
  if (call.tools && !has_form) {
    QUERN_TRY(auto calls, call_constraint(choice, *call.tools, *call.text.model));
    options.constraint = std::move(calls.masks);
    if (!choice.required) start = infer::ConstraintStart(call.prompt, std::move(calls.trigger));
  }
  if (options.constraint && !start.at_once()) options.constraint_start = std::move(start);
  return {};
}

}  // namespace

Result<ChatCall> read_chat(const Json& body, const ModelTable& models, const Caller* caller) {
  ChatCall call;
  QUERN_TRY(call.text, read_text_request(body, kChatKeys, models, caller));
  QUERN_CHECK(read_logprobs(body, call.text));
  if (call.text.best_of > 0)
    return make_error(ErrorCode::invalid_argument, "request: best_of is not for conversations", "use n");
  QUERN_TRY(text::ChatRequest chat, read_conversation(body));
  if (chat.messages.empty())
    return make_error(ErrorCode::invalid_argument, "request: messages are missing",
                      "give at least one message");
  QUERN_TRY(const ToolChoice choice, read_tool_choice(body, chat.tools));
  if (choice.functions.empty()) chat.tools = nullptr;
  const infer::LoadedModel& loaded = *call.text.model->loaded;
  if (!choice.functions.empty()) {
    QUERN_TRY(const std::string_view source, loaded.templates.source_for(chat));
    call.tools = infer::tool_call_form(source);
    call.parallel_calls = choice.parallel;
  }
  QUERN_TRY(text::ChatPrompt prompt, text::render_prompt(loaded.templates, chat, loaded.tokenizer));
  call.tokens = infer::encode_chat(loaded, prompt);
  call.prompt = std::move(prompt.text);
  QUERN_CHECK(hold_answers(choice, call));
  return call;
}

Result<ChatCall> read_plain(const Json& body, std::string prompt, const ModelTable& models,
                            const Caller* caller) {
  ChatCall call;
  QUERN_TRY(call.text, read_text_request(body, kChatKeys, models, caller));
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
