// Values as JSON and JSON as values.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "text/jinja/value.h"

namespace quern::text::jinja {

// How json.dumps() of Python lays out a document.
struct JsonStyle {
  bool ascii = false;                 // other characters as \uXXXX
  std::optional<std::string> indent;  // of one level; nullopt: all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
};
// json.dumps(). Throws Failure for what JSON cannot say: undefined values, functions, keys that are lists.
Value to_json(Heap& heap, const Value& value, const JsonStyle& style);

// A JSON document as a value. Throws Failure for an integer past 64 bits signed and for deep nesting; text that
// is not UTF-8 is repaired.
Value from_json(Heap& heap, const nlohmann::ordered_json& document);

}  // namespace quern::text::jinja
