// Reading the small components of tokenizer.json: typed fields with errors that name the component and the
// field.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/regex.h"

namespace quern::text {

// Keeps the order of keys, so that a file that is read and written stays as it was.
using Json = nlohmann::ordered_json;

// Nesting of Sequence components that is accepted.
inline constexpr int kMaxComponentDepth = 16;

// A whole number from 0 to `most`.
bool is_count(const Json& value, uint64_t most);

// A pattern as the file gives it.
struct PatternField {
  std::string text;
  bool is_regex;
  Result<Regex> compile() const {
    return is_regex ? Regex::compile(text) : Result<Regex>(Regex::literal(text));
  }
};

// One component, such as {"type": "Strip", "strip_left": true, ...}. `what` names its place: "normalizer".
class Fields {
 public:
  Fields(std::string_view what, const Json& object) : what_(what), object_(object) {}

  const Json& json() const { return object_; }
  // "normalizer Strip", for messages.
  std::string name() const;
  // The value of "type"; corrupt when there is none.
  Result<std::string> type() const;

  bool has(std::string_view key) const;  // present and not null
  Result<bool> flag(std::string_view key, bool fallback) const;
  Result<std::string> string(std::string_view key) const;
  // A string of exactly one character.
  Result<std::string> character(std::string_view key) const;
  Result<uint32_t> count(std::string_view key, uint32_t most) const;
  Result<const Json*> array(std::string_view key) const;
  // {"String": "..."} or {"Regex": "..."}.
  Result<PatternField> pattern(std::string_view key) const;

  Error wrong(std::string_view key, std::string_view expected) const;
  Error unsupported(std::string_view type, std::string_view known) const;

 private:
  const Json* find(std::string_view key) const;
  std::string_view what_;
  const Json& object_;
};

// The components of a list that may be null, one component, or nested {"type": "Sequence", list_key: [...]},
// in order.
Result<std::vector<Fields>> flatten_sequence(std::string_view what, const Json& component,
                                             std::string_view list_key);

}  // namespace quern::text
