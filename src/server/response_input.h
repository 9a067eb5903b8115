// The input of /v1/responses as messages of a conversation.
#pragma once

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace quern::server {

// Of text, or a list of items: messages, calls of functions and what they gave, reasoning; also items of earlier answers.
// Calls and reasoning become parts of the assistant's message that they belong to. invalid_argument for anything else,
// such as items of tools that are OpenAI's own, images and files.
Result<nlohmann::ordered_json> messages_of_input(const nlohmann::ordered_json& input);

}  // namespace quern::server
