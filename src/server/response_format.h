// What an answer is held to: response_format and its kin.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "grammar/grammar_cache.h"

namespace quern::server {

// The parameters that read_constraint() reads.
std::span<const std::string> constraint_keys();

// Of OpenAI's "response_format" ({"type": "text", "json_object" or "json_schema"}), "json_schema" and "grammar" of
// llama-server, "regex", and "guided_json", "guided_regex" and "guided_grammar" of vLLM: nothing where the answer is free.
// invalid_argument for what is none of these, and for more than one.
Result<std::optional<grammar::Constraint>> read_constraint(const nlohmann::ordered_json& body);

}  // namespace quern::server
