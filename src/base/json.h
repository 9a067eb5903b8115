// JSON documents that come from outside: parsing with a depth limit and errors with line and column, and
// typed access with errors that name the key. For small documents (configs, indexes, run states); bulk data
// goes through simdjson.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace quern {

inline constexpr int kMaxJsonDepth = 100;
inline constexpr uint64_t kMaxJsonFile = uint64_t{64} << 20;

// corrupt: "source:line:column: not valid JSON: ..." for bad syntax, bad UTF-8 or deeper nesting than
// `max_depth`.
Result<nlohmann::json> parse_json(std::string_view text, std::string_view source,
                                  int max_depth = kMaxJsonDepth);
// The same, with keys in the order they are written in.
Result<nlohmann::ordered_json> parse_ordered_json(std::string_view text, std::string_view source,
                                                  int max_depth = kMaxJsonDepth);
Result<nlohmann::json> read_json_file(const std::filesystem::path& path, uint64_t limit = kMaxJsonFile);

// Any value as text in an error message: cut short, never throwing on bad UTF-8.
std::string json_excerpt(const nlohmann::json& value);

// The value at a dotted path ("optimizer.step"), as bool, int64_t, uint64_t, double, std::string or a vector
// of one of these. corrupt: "source: optimizer.step: expected an integer, got nothing". Instantiated for
// these types in json.cpp.
template <class T>
Result<T> json_get(const nlohmann::json& document, std::string_view path, std::string_view source);

}  // namespace quern
