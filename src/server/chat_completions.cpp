#include "server/chat_completions.h"

#include <utility>

#include "base/exception.h"
#include "server/answer_reader.h"
#include "server/answers.h"
#include "server/api_error.h"
#include "server/api_format.h"
#include "server/chunk_stream.h"

namespace quern::server {

namespace {

// What both forms of an answer know.
class ChatWriter : public AnswerWriter {
 public:
  explicit ChatWriter(ChatCall call) : call_(std::move(call)) {
    for (int64_t i = 0; i < call_.text.n; ++i) readers_.emplace_back(call_);
    usages_.resize(readers_.size());
  }

 protected:
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
    return {{"content", chat_logprobs(call_.text.model->loaded->tokenizer, tokens)}, {"refusal", nullptr}};
  }
  Json usage() const { return usage_json(usages_, usages_.size()); }

  ChatCall call_;
  std::vector<AnswerReader> readers_;
  std::vector<engine::Usage> usages_;
};

class WholeChat final : public ChatWriter {
 public:
  WholeChat(ChatCall call, std::shared_ptr<HttpReply> reply)
      : ChatWriter(std::move(call)),
        reply_(std::move(reply)),
        body_(answer_head("chatcmpl-", "chat.completion", call_.text)) {
    answers_.resize(usages_.size());
  }

  void update(size_t index, engine::Update&& update) override {
    auto parts = read(index, update);
    answers_[index].add(std::move(parts), std::move(update));
  }

  void finish() override {
    body_["choices"] = Json::array();
    for (size_t i = 0; i < answers_.size(); ++i) {
      const Answer& answer = answers_[i];
      body_["choices"].push_back({{"index", i},
                                  {"message", message_of(answer)},
                                  {"logprobs", logprobs_of(answer.tokens)},
                                  {"finish_reason", finish_of(i, answer.finish)}});
    }
    body_["usage"] = usage();
    reply_->send({.status = 200, .body = to_bytes(body_), .headers = {}});
  }

  void fail(const Error& error) override { reply_->send(to_response(api_error_of(error))); }

 private:
  static Json message_of(const Answer& answer) {
    const bool silent = answer.content.empty() && !answer.calls.empty();
    Json message = {{"role", "assistant"},
                    {"content", silent ? Json(nullptr) : Json(answer.content)},
                    {"refusal", nullptr}};
    if (!answer.reasoning.empty()) message["reasoning_content"] = answer.reasoning;
    for (const infer::ToolPiece::Call& call : answer.calls) {
      message["tool_calls"].push_back({{"id", new_id("call_")},
                                       {"type", "function"},
                                       {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    }
    return message;
  }

  std::shared_ptr<HttpReply> reply_;
  Json body_;
  std::vector<Answer> answers_;
};

class StreamedChat final : public ChatWriter {
 public:
  StreamedChat(ChatCall call, std::shared_ptr<HttpReply> reply)
      : ChatWriter(std::move(call)),
        chunks_(std::move(reply), answer_head("chatcmpl-", "chat.completion.chunk", call_.text),
                call_.text.include_usage) {}

  void update(size_t index, engine::Update&& update) override {
    if (!chunks_.begun()) {
      for (size_t i = 0; i < usages_.size(); ++i) send(i, {{"role", "assistant"}, {"content", ""}}, nullptr);
    }
    Json logprobs = update.tokens.empty() ? Json(nullptr) : logprobs_of(update.tokens);
    for (const AnswerReader::Part& part : read(index, update)) {
      if (!part.reasoning.empty())
        send(index, {{"reasoning_content", part.reasoning}}, std::exchange(logprobs, nullptr));
      if (!part.content.empty()) send(index, {{"content", part.content}}, std::exchange(logprobs, nullptr));
      if (part.call)
        send(index, {{"tool_calls", Json::array({delta_of(*part.call)})}}, std::exchange(logprobs, nullptr));
    }
    if (!logprobs.is_null()) send(index, Json::object(), std::move(logprobs));
    if (update.finish) send(index, Json::object(), nullptr, finish_of(index, *update.finish));
  }

  void finish() override { chunks_.finish(usage()); }
  void fail(const Error& error) override { chunks_.fail(error); }

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
  void send(size_t index, Json delta, Json logprobs, Json finish = nullptr) {
    chunks_.send({{"index", index},
                  {"delta", std::move(delta)},
                  {"logprobs", std::move(logprobs)},
                  {"finish_reason", std::move(finish)}});
  }

  ChunkStream chunks_;
};

}  // namespace

void chat_completions(const ModelTable& models, const HttpRequest& request,
                      const std::shared_ptr<HttpReply>& reply) {
  const Json body = body_of(request);
  ChatCall call = read_chat(body, models, request.caller.get()).value();
  const ModelLease model = call.text.model;
  std::vector<engine::Request> requests = call.requests();
  std::shared_ptr<AnswerWriter> writer;
  if (call.text.stream) {
    writer = std::make_shared<StreamedChat>(std::move(call), reply);
  } else {
    writer = std::make_shared<WholeChat>(std::move(call), reply);
  }
  ask(*model, std::move(requests), std::move(writer), reply, models.meter(request.caller)).value();
}

}  // namespace quern::server
