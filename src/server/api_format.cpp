#include "server/api_format.h"

#include <fmt/format.h>

#include <chrono>
#include <random>

#include "base/exception.h"
#include "base/json.h"
#include "server/served_model.h"
#include "text/unicode.h"

namespace quern::server {

using Json = nlohmann::ordered_json;

Json body_of(const HttpRequest& request) {
  Result<Json> body = parse_ordered_json(request.body, "request");
  if (body.ok()) return *std::move(body);
  Error error = std::move(body).error();
  error.code = ErrorCode::invalid_argument;
  throw Exception(std::move(error));
}

Error wrong_value(std::string_view name, std::string_view expected, const Json& value) {
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("request: {} must be {}, got {}", name, expected, json_excerpt(value)));
}

std::string new_id(std::string_view prefix) {
  thread_local std::mt19937_64 random{(uint64_t{std::random_device()()} << 32) | std::random_device()()};
  return fmt::format("{}{:016x}{:016x}", prefix, random(), random());
}

int64_t unix_seconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

std::string to_bytes(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void send_json(HttpReply& reply, const Json& document) {
  reply.send({.status = 200, .body = to_bytes(document), .headers = {}});
}

std::string_view finish_name(infer::FinishReason reason) {
  return reason == infer::FinishReason::stop ? "stop" : "length";
}

Json usage_json(const std::vector<engine::Usage>& answers, size_t each) {
  int64_t prompt = 0, reused = 0, generated = 0, guessed = 0, accepted = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    generated += answers[i].generated_tokens;
    guessed += answers[i].guessed_tokens;
    accepted += answers[i].accepted_tokens;
    if (i % each != 0) continue;
    prompt += answers[i].prompt_tokens;
    reused += answers[i].reused_tokens;
  }
  Json usage{{"prompt_tokens", prompt},
             {"completion_tokens", generated},
             {"total_tokens", prompt + generated},
             {"prompt_tokens_details", {{"cached_tokens", reused}}}};
  if (guessed > 0) {
    usage["completion_tokens_details"] = {{"accepted_prediction_tokens", accepted},
                                          {"rejected_prediction_tokens", guessed - accepted}};
  }
  return usage;
}

namespace {
Json token_json(const text::Tokenizer& tokenizer, const engine::TokenLogprob& token) {
  const std::string text = token_text(tokenizer, token.id);
  Json bytes = Json::array();
  for (const char byte : text) bytes.push_back(static_cast<uint8_t>(byte));
  return {{"token", text::repair_utf8(text).text}, {"logprob", token.logprob}, {"bytes", bytes}};
}
}  // namespace

Json chat_logprobs(const text::Tokenizer& tokenizer, const std::vector<engine::TokenUpdate>& tokens) {
  Json rows = Json::array();
  for (const engine::TokenUpdate& token : tokens) {
    Json row = token_json(tokenizer, token.chosen);
    row["top_logprobs"] = Json::array();
    for (const engine::TokenLogprob& other : token.top)
      row["top_logprobs"].push_back(token_json(tokenizer, other));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace quern::server
