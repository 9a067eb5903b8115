// What messages of a conversation say, as chat templates read it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace quern::server {

// Content as text: text itself, or a list of parts that are all text ({"type": "text", "input_text" or "output_text",
// "text": ...}), one behind the other; null is empty. invalid_argument for anything else, such
// as images. `name` is what the content is called in errors.
Result<std::string> text_of(const nlohmann::ordered_json& content, const std::string& name);

// Brings messages of clients into the form that templates are written for: content as text, which answers always have, and
// the arguments of a call, which come as JSON text, as the object that they mean. Errors of text_of(); what is no list of objects is left to the
// template's reader.
Result<void> normalize_messages(nlohmann::ordered_json& messages);

}  // namespace quern::server
