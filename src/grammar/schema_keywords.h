// What JSON schemas are made of: which keywords are about which type, and how two schemas become one.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace quern::grammar {

using Json = nlohmann::ordered_json;

// invalid_argument: "json schema, #/path: message".
Error schema_error(const std::string& path, const std::string& message, std::string hint = {});
// `path` with one more step, escaped as JSON pointers are.
std::string below(const std::string& path, std::string_view step);

// Says nothing about which values are instances.
bool is_annotation(std::string_view keyword);
// The schema without annotations and definitions, with `const` as `enum`.
Json normalized(const Json& schema);
// Errors for keywords that are not known.
Result<void> check_keywords(const Json& schema, const std::string& path);
// The types, by name, that values may have: as `type` says, else those that other keywords are about.
Result<std::set<std::string>> types_of(const Json& schema, const std::string& path);
bool has_type(const Json& value, const std::set<std::string>& types);

// A schema for the values that are instances of both. Neither holds $ref. Errors for keywords that cannot be merged.
Result<Json> merge_schemas(const Json& a, const Json& b, const std::string& path);

}  // namespace quern::grammar
