#include "server/response_writer.h"

#include <utility>

#include "server/api_error.h"
#include "server/api_format.h"

namespace quern::server {

ResponseWriter::ResponseWriter(ChatCall call, const Json& echo, std::shared_ptr<HttpReply> reply, Keep keep)
    : call_(std::move(call)),
      reply_(std::move(reply)),
      keep_(std::move(keep)),
      reader_(call_),
      items_([this](std::string_view type, const Json& event) { tell(type, event); }) {
  const infer::SamplingOptions& sampling = call_.text.options.sampling;
  head_ = {{"id", new_id("resp_")},
           {"object", "response"},
           {"created_at", unix_seconds()},
           {"model", call_.text.answered_by()},
           {"temperature", sampling.temperature},
           {"top_p", sampling.top_p},
           {"seed", sampling.seed}};
  head_.update(echo);
}

void ResponseWriter::update(size_t, engine::Update&& update) {
  if (call_.text.stream && !events_) begin();
  usage_ = update.usage;
  if (update.finish) finish_ = *update.finish;
  if (call_.text.logprobs) {
    const Json rows = chat_logprobs(call_.text.model->loaded->tokenizer, update.tokens);
    logprobs_.insert(logprobs_.end(), rows.begin(), rows.end());
  }
  for (const AnswerReader::Part& part : reader_.read(update)) {
    // Of what is not said to the user, nothing is told.
    if (part.content.empty()) logprobs_ = Json::array();
    if (!part.reasoning.empty()) reasoning_tokens_ = usage_.generated_tokens;
    items_.add(part, std::exchange(logprobs_, Json::array()));
  }
}

void ResponseWriter::finish() {
  const std::string_view status = finish_ == infer::FinishReason::stop ? "completed" : "incomplete";
  items_.finish(status, std::exchange(logprobs_, Json::array()));
  const Json whole = response(status);
  if (keep_) keep_(whole, items_.message());
  if (!events_) return reply_->send({.status = 200, .body = to_bytes(whole), .headers = {}});
  tell(status == "incomplete" ? "response.incomplete" : "response.completed", {{"response", whole}});
  events_->end();
}

void ResponseWriter::fail(const Error& error) {
  if (!events_) return reply_->send(to_response(api_error_of(error)));
  Json failed = response("failed");
  failed["error"] = {{"code", "server_error"}, {"message", api_error_of(error).message}};
  tell("response.failed", {{"response", std::move(failed)}});
  events_->end();
}

void ResponseWriter::begin() {
  events_.emplace(reply_);
  tell("response.created", {{"response", response("in_progress")}});
  tell("response.in_progress", {{"response", response("in_progress")}});
}

void ResponseWriter::tell(std::string_view type, const Json& event) {
  if (!events_) return;
  Json numbered = {{"type", type}, {"sequence_number", next_event_++}};
  numbered.update(event);
  events_->event(to_bytes(numbered), type);
}

Json ResponseWriter::response(std::string_view status) const {
  const bool over = status != "in_progress";
  Json response = head_;
  response["status"] = status;
  response["completed_at"] = status == "completed" ? Json(unix_seconds()) : Json(nullptr);
  response["error"] = nullptr;
  response["incomplete_details"] =
      status == "incomplete" ? Json({{"reason", "max_output_tokens"}}) : Json(nullptr);
  response["output"] = items_.items();
  response["usage"] = over ? usage() : Json(nullptr);
  return response;
}

Json ResponseWriter::usage() const {
  return {{"input_tokens", usage_.prompt_tokens},
          {"input_tokens_details", {{"cached_tokens", usage_.reused_tokens}, {"cache_write_tokens", 0}}},
          {"output_tokens", usage_.generated_tokens},
          {"output_tokens_details", {{"reasoning_tokens", reasoning_tokens_}}},
          {"total_tokens", usage_.prompt_tokens + usage_.generated_tokens}};
}

}  // namespace quern::server
