#include "server/chat_completions.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/exception.h"
#include "base/json.h"
#include "infer/reasoning.h"
#include "infer/tool_calls.h"
#include "server/answers.h"
#include "server/api_error.h"
#include "server/api_format.h"
#include "server/sse.h"
#include "server/text_request.h"

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

struct ChatCall {
  TextRequest text;
  std::string prompt;  // rendered
  std::vector<int32_t> tokens;
  std::optional<infer::ToolCallForm> tools;  // answers may call some
};

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

// One answer, as it becomes certain: what the model thinks aloud, what it says, what it calls.
class AnswerReader {
 public:
  explicit AnswerReader(const ChatCall& call) : reasoning_(call.prompt) {
    if (call.tools) tools_.emplace(*call.tools);
  }

  struct Part {
    std::string reasoning, content;
    std::optional<infer::ToolPiece::Call> call = {};
  };
  std::vector<Part> read(const engine::Update& update) {
    std::vector<Part> parts;
    take(reasoning_.push(update.text), parts);
    if (!update.last()) return parts;
    take(reasoning_.finish(), parts);
    if (tools_) take(tools_->finish(), parts);
    return parts;
  }
  bool called() const { return tools_ && tools_->calls() > 0; }

 private:
  void take(std::vector<infer::AnswerPiece>&& pieces, std::vector<Part>& parts) {
    for (infer::AnswerPiece& piece : pieces) {
      if (piece.text.empty()) continue;
      if (piece.is_reasoning) {
        parts.push_back({.reasoning = std::move(piece.text), .content = {}});
      } else if (tools_) {
        take(tools_->push(piece.text), parts);
      } else {
        parts.push_back({.reasoning = {}, .content = std::move(piece.text)});
      }
    }
  }
  static void take(std::vector<infer::ToolPiece>&& pieces, std::vector<Part>& parts) {
    for (infer::ToolPiece& piece : pieces)
      parts.push_back({.reasoning = {}, .content = std::move(piece.text), .call = std::move(piece.call)});
  }

  infer::ReasoningSplitter reasoning_;
  std::optional<infer::ToolCallParser> tools_;
};

// What both forms of an answer know.
class ChatWriter : public AnswerWriter {
 public:
  ChatWriter(ChatCall call, std::shared_ptr<HttpReply> reply)
      : call_(std::move(call)), reply_(std::move(reply)), id_(new_id("chatcmpl-")), created_(unix_seconds()) {
    for (int64_t i = 0; i < call_.text.n; ++i) readers_.emplace_back(call_);
    usages_.resize(readers_.size());
  }

 protected:
  const text::Tokenizer& tokenizer() const { return call_.text.model->loaded->tokenizer; }
  Json head(std::string_view object) const {
    return {{"id", id_},
            {"object", object},
            {"created", created_},
            {"model", call_.text.model->name},
            {"system_fingerprint", fmt::format("seed-{}", call_.text.options.sampling.seed)}};
  }
  std::vector<AnswerReader::Part> read(size_t index, const engine::Update& update) {
    usages_[index] = update.usage;
    return readers_[index].read(update);
  }
  std::string_view finish_of(size_t index, infer::FinishReason reason) const {
    return readers_[index].called() && reason == infer::FinishReason::stop ? "tool_calls"
                                                                           : finish_name(reason);
  }
  Json logprobs_of(const std::vector<engine::TokenUpdate>& tokens) const {
    if (!call_.text.logprobs) return nullptr;
    return {{"content", chat_logprobs(tokenizer(), tokens)}, {"refusal", nullptr}};
  }

  ChatCall call_;
  std::shared_ptr<HttpReply> reply_;
  std::string id_;
  int64_t created_;
  std::vector<AnswerReader> readers_;
  std::vector<engine::Usage> usages_;
};

class WholeChat final : public ChatWriter {
 public:
  WholeChat(ChatCall call, std::shared_ptr<HttpReply> reply) : ChatWriter(std::move(call), std::move(reply)) {
    choices_.resize(usages_.size());
  }

  void update(size_t index, engine::Update&& update) override {
    Choice& choice = choices_[index];
    for (AnswerReader::Part& part : read(index, update)) {
      choice.reasoning += part.reasoning;
      choice.content += part.content;
      if (!part.call) continue;
      if (!part.call->name.empty())
        choice.calls.push_back({.index = 0, .name = part.call->name, .arguments = {}});
      choice.calls.back().arguments += part.call->arguments;
    }
    for (engine::TokenUpdate& token : update.tokens) choice.tokens.push_back(std::move(token));
    if (update.finish) choice.finish = *update.finish;
  }

  void finish() override {
    Json answer = head("chat.completion");
    answer["choices"] = Json::array();
    for (size_t i = 0; i < choices_.size(); ++i) {
      const Choice& choice = choices_[i];
      answer["choices"].push_back({{"index", i},
                                   {"message", message_of(choice)},
                                   {"logprobs", logprobs_of(choice.tokens)},
                                   {"finish_reason", finish_of(i, choice.finish)}});
    }
    answer["usage"] = usage_json(usages_, usages_.size());
    reply_->send({.status = 200, .body = to_bytes(answer), .headers = {}});
  }

  void fail(const Error& error) override { reply_->send(to_response(api_error_of(error))); }

 private:
  struct Choice {
    std::string content, reasoning;
    std::vector<infer::ToolPiece::Call> calls;
    std::vector<engine::TokenUpdate> tokens;
    infer::FinishReason finish = infer::FinishReason::stop;
  };
  static Json message_of(const Choice& choice) {
    const bool silent = choice.content.empty() && !choice.calls.empty();
    Json message = {{"role", "assistant"},
                    {"content", silent ? Json(nullptr) : Json(choice.content)},
                    {"refusal", nullptr}};
    if (!choice.reasoning.empty()) message["reasoning_content"] = choice.reasoning;
    for (const infer::ToolPiece::Call& call : choice.calls) {
      message["tool_calls"].push_back({{"id", new_id("call_")},
                                       {"type", "function"},
                                       {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    }
    return message;
  }
  std::vector<Choice> choices_;
};

class StreamedChat final : public ChatWriter {
 public:
  StreamedChat(ChatCall call, std::shared_ptr<HttpReply> reply)
      : ChatWriter(std::move(call), std::move(reply)) {}

  void update(size_t index, engine::Update&& update) override {
    if (!events_) {
      events_.emplace(reply_);
      for (size_t i = 0; i < usages_.size(); ++i)
        send(i, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
    }
    Json logprobs = update.tokens.empty() ? Json(nullptr) : logprobs_of(update.tokens);
    for (const AnswerReader::Part& part : read(index, update)) {
      if (!part.reasoning.empty())
        send(index, {{"reasoning_content", part.reasoning}}, std::exchange(logprobs, nullptr), nullptr);
      if (!part.content.empty())
        send(index, {{"content", part.content}}, std::exchange(logprobs, nullptr), nullptr);
      if (part.call)
        send(index, {{"tool_calls", Json::array({delta_of(*part.call)})}}, std::exchange(logprobs, nullptr),
             nullptr);
    }
    if (!logprobs.is_null()) send(index, Json::object(), std::move(logprobs), nullptr);
    if (update.finish) send(index, Json::object(), nullptr, finish_of(index, *update.finish));
  }

  void finish() override {
    if (call_.text.include_usage) {
      Json chunk = head("chat.completion.chunk");
      chunk["choices"] = Json::array();
      chunk["usage"] = usage_json(usages_, usages_.size());
      events_->event(to_bytes(chunk));
    }
    events_->done();
  }

  void fail(const Error& error) override {
    if (!events_) return reply_->send(to_response(api_error_of(error)));
    events_->event(to_json(api_error_of(error)).dump());
    events_->done();
  }

 private:
  static Json delta_of(const infer::ToolPiece::Call& call) {
    Json delta = {{"index", call.index}};
    if (!call.name.empty()) {
      delta["id"] = new_id("call_");
      delta["type"] = "function";
      delta["function"]["name"] = call.name;
    }
    delta["function"]["arguments"] = call.arguments;
    return delta;
  }
  void send(size_t index, Json delta, Json logprobs, Json finish) {
    Json chunk = head("chat.completion.chunk");
    chunk["choices"] = Json::array({{{"index", index},
                                     {"delta", std::move(delta)},
                                     {"logprobs", std::move(logprobs)},
                                     {"finish_reason", std::move(finish)}}});
    if (call_.text.include_usage) chunk["usage"] = nullptr;
    events_->event(to_bytes(chunk));
  }

  std::optional<SseStream> events_;
};

}  // namespace

void chat_completions(const ModelTable& models, const HttpRequest& request,
                      const std::shared_ptr<HttpReply>& reply) {
  const Json body = body_of(request);
  ChatCall call = read_chat(body, models, request.caller.get()).value();
  const ServedModel& model = *call.text.model;
  std::vector<engine::Request> requests;
  for (int64_t i = 0; i < call.text.n; ++i) requests.push_back(to_engine_request(call.text, call.tokens, i));
  std::shared_ptr<AnswerWriter> writer;
  if (call.text.stream) {
    writer = std::make_shared<StreamedChat>(std::move(call), reply);
  } else {
    writer = std::make_shared<WholeChat>(std::move(call), reply);
  }
  ask(model, std::move(requests), std::move(writer), reply, models.meter(request.caller)).value();
}

}  // namespace quern::server
