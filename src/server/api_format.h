// What answers of OpenAI's API have in common: ids, usage, reasons to end, log-probabilities.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"
#include "server/http_message.h"
#include "text/tokenizer.h"

namespace quern::server {

// The JSON that a request brings. Throws Exception(invalid_argument) where it is none.
nlohmann::ordered_json body_of(const HttpRequest& request);

// "request: NAME must be EXPECTED, got ...", invalid_argument.
Error wrong_value(std::string_view name, std::string_view expected, const nlohmann::ordered_json& value);

// "chatcmpl-" and 32 random hexadecimal digits.
std::string new_id(std::string_view prefix);
int64_t unix_seconds();

// The document as bytes to send; what is no UTF-8 in it becomes U+FFFD.
std::string to_bytes(const nlohmann::ordered_json& document);
// Answers with 200 and the document, as to_bytes() writes it.
void send_json(HttpReply& reply, const nlohmann::ordered_json& document);

// "stop" or "length".
std::string_view finish_name(infer::FinishReason reason);

// Of all answers together; a prompt counts once, though it has `each` answers in a row.
nlohmann::ordered_json usage_json(const std::vector<engine::Usage>& answers, size_t each);

// {"token", "logprob", "bytes", "top_logprobs": [...]} of the chat API for each token.
nlohmann::ordered_json chat_logprobs(const text::Tokenizer& tokenizer,
                                     const std::vector<engine::TokenUpdate>& tokens);

}  // namespace quern::server
