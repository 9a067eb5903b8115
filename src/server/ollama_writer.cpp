#include "server/ollama_writer.h"

#include <cmath>
#include <utility>

#include "base/clock.h"
#include "base/json.h"
#include "server/api_error.h"
#include "server/api_format.h"

namespace quern::server {

namespace {

int64_t nanoseconds(double seconds) { return std::llround(1e9 * std::max(seconds, 0.0)); }

}  // namespace

Json ollama_head(const std::string& model) { return {{"model", model}, {"created_at", iso_time()}}; }

HttpResponse ollama_error(const Error& error) {
  const ApiError api = api_error_of(error);
  return {.status = api.status, .body = to_bytes({{"error", api.message}}), .headers = {}};
}

OllamaWriter::OllamaWriter(OllamaRoute route, ChatCall call, std::shared_ptr<HttpReply> reply)
    : route_(route), call_(std::move(call)), reply_(std::move(reply)), reader_(call_) {}

void OllamaWriter::update(size_t, engine::Update&& update) {
  usage_ = update.usage;
  answer_.add(reader_.read(update), std::move(update));
  // A call is told when it is whole, with the last line.
  const bool any = !answer_.content.empty() || !answer_.reasoning.empty();
  if (!call_.text.stream || !any) return;
  send(said(std::exchange(answer_.content, {}), std::exchange(answer_.reasoning, {}), nullptr));
  answer_.tokens.clear();
}

void OllamaWriter::finish() {
  Json last = said(answer_.content, answer_.reasoning, calls_json());
  last["done"] = true;
  last["done_reason"] = finish_name(answer_.finish);
  last["total_duration"] = nanoseconds(usage_.total_seconds);
  last["load_duration"] = 0;
  last["prompt_eval_count"] = usage_.prompt_tokens;
  last["prompt_eval_duration"] = nanoseconds(usage_.first_seconds - usage_.queue_seconds);
  last["eval_count"] = usage_.generated_tokens;
  last["eval_duration"] = nanoseconds(usage_.total_seconds - usage_.first_seconds);
  if (!call_.text.stream) return reply_->send({.status = 200, .body = to_bytes(last), .headers = {}});
  send(last);
  reply_->end();
}

void OllamaWriter::fail(const Error& error) {
  if (!begun_) return reply_->send(ollama_error(error));
  send({{"error", api_error_of(error).message}});
  reply_->end();
}

Json OllamaWriter::said(const std::string& content, const std::string& reasoning, const Json& calls) const {
  Json line = ollama_head(call_.text.answered_by());
  if (route_ == OllamaRoute::generate) {
    line["response"] = content;
    if (!reasoning.empty()) line["thinking"] = reasoning;
  } else {
    line["message"] = {{"role", "assistant"}, {"content", content}};
    if (!reasoning.empty()) line["message"]["thinking"] = reasoning;
    if (!calls.empty()) line["message"]["tool_calls"] = calls;
  }
  if (call_.text.logprobs && !answer_.tokens.empty())
    line["logprobs"] = chat_logprobs(call_.text.model->loaded->tokenizer, answer_.tokens);
  line["done"] = false;
  return line;
}

// Arguments as an object; what the model wrote that is none stays text.
Json OllamaWriter::calls_json() const {
  Json calls = Json::array();
  for (const infer::ToolPiece::Call& call : answer_.calls) {
    Result<Json> arguments = parse_ordered_json(call.arguments, "arguments");
    calls.push_back({{"function",
                      {{"name", call.name},
                       {"arguments", arguments.ok() ? *std::move(arguments) : Json(call.arguments)}}}});
  }
  return calls;
}

void OllamaWriter::send(const Json& line) {
  if (!std::exchange(begun_, true)) reply_->begin(200, "application/x-ndjson");
  reply_->write(to_bytes(line) + "\n");
}

}  // namespace quern::server
