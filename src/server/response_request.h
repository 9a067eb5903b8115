// What POST /v1/responses is asked (OpenAI's Responses API), in the words of /v1/chat/completions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace quern::server {

struct ResponseRequest {
  nlohmann::ordered_json chat;      // the body of a conversation, but for its messages
  std::string instructions = {};    // a system message of this answer alone; may be empty
  nlohmann::ordered_json messages;  // what the input says
  std::string previous = {};        // id of the response that these follow; may be empty
  bool store = true;                // others may follow this one
  nlohmann::ordered_json echo;      // what the answer repeats of the request
};

// invalid_argument for wrong values, and for what no model here does: images, files, tools of OpenAI's own servers,
// conversations kept elsewhere. What is in no word of this API is left in `chat` for read_chat to judge.
Result<ResponseRequest> read_response_request(const nlohmann::ordered_json& body);

}  // namespace quern::server
