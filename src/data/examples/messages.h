// Lists of messages in the forms they are published in, read as chat templates know them.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "data/examples/example.h"

namespace quern::data {

// Of a field with a value of another kind than expected.
Refusal bad_value(std::string_view field, std::string_view expected, const nlohmann::ordered_json& got);

// Reads a message or a list of them, each as OpenAI writes it (role, content) or as ShareGPT does (from, value), into
// the list `messages` of Example. Roles are known by their common names; calls of tools that stand in a message of
// their own join what the assistant says before; "weight" 0 and "train" false mark what is not learnt. `field` names
// the list in refusals. Checks messages one by one, not their order.
Refusal read_messages(const nlohmann::ordered_json& json, std::string_view field,
                      nlohmann::ordered_json& messages);

// Reads tools as a list, or as the text of one; each {"type": "function", "function": ...} or its inner part.
Refusal read_tools(const nlohmann::ordered_json& json, nlohmann::ordered_json& tools);

// Whether `messages` can follow each other: a system message only first, questions and results of tools in turn with
// what the assistant says, results only after calls.
Refusal check_order(const nlohmann::ordered_json& messages);

// true or false, 1 or 0; nothing else.
std::optional<bool> flag_of(const nlohmann::ordered_json& json);

// A message of its own.
nlohmann::ordered_json message_of(std::string_view role, std::string_view content);

}  // namespace quern::data
