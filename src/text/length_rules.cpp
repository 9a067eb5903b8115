#include "text/length_rules.h"

namespace quern::text {

namespace {
constexpr uint32_t kMost = INT32_MAX;

Result<Side> read_side(const Fields& fields) {
  if (!fields.has("direction")) return Side::right;
  QUERN_TRY(const std::string name, fields.string("direction"));
  if (name == "Left") return Side::left;
  if (name == "Right") return Side::right;
  return fields.wrong("direction", "Left or Right");
}

// A count that may be left out.
Result<uint32_t> count_or(const Fields& fields, std::string_view key, uint32_t fallback) {
  return fields.has(key) ? fields.count(key, kMost) : Result<uint32_t>(fallback);
}

Result<Truncation::Strategy> read_strategy(const Fields& fields) {
  QUERN_TRY(const std::string name, fields.string("strategy"));
  if (name == "LongestFirst") return Truncation::Strategy::longest_first;
  if (name == "OnlyFirst") return Truncation::Strategy::only_first;
  if (name == "OnlySecond") return Truncation::Strategy::only_second;
  return fields.wrong("strategy", "LongestFirst, OnlyFirst or OnlySecond");
}

// "BatchLongest" or {"Fixed": n}.
Result<std::optional<uint32_t>> read_fixed_length(const Fields& fields) {
  const auto it = fields.json().find("strategy");
  if (it != fields.json().end() && it->is_object()) {
    QUERN_TRY(const uint32_t length, Fields("padding", *it).count("Fixed", kMost));
    return std::optional(length);
  }
  QUERN_TRY(const std::string name, fields.string("strategy"));
  if (name != "BatchLongest") return fields.wrong("strategy", R"("BatchLongest" or {"Fixed": n})");
  return std::optional<uint32_t>();
}
}  // namespace

Result<std::optional<Truncation>> read_truncation(const Json& json) {
  if (json.is_null()) return std::optional<Truncation>();
  const Fields fields("truncation", json);
  Truncation rule;
  QUERN_TRY(rule.max_length, fields.count("max_length", kMost));
  QUERN_TRY(rule.side, read_side(fields));
  QUERN_TRY(rule.stride, count_or(fields, "stride", 0));
  if (fields.has("strategy")) {
    QUERN_TRY(rule.strategy, read_strategy(fields));
  }
  return std::optional(rule);
}

Result<std::optional<Padding>> read_padding(const Json& json) {
  if (json.is_null()) return std::optional<Padding>();
  const Fields fields("padding", json);
  Padding rule;
  if (fields.has("strategy")) {
    QUERN_TRY(rule.fixed, read_fixed_length(fields));
  }
  QUERN_TRY(rule.side, read_side(fields));
  if (fields.has("pad_to_multiple_of")) {
    QUERN_TRY(rule.multiple_of, fields.count("pad_to_multiple_of", kMost));
  }
  QUERN_TRY(const uint32_t id, count_or(fields, "pad_id", 0));
  QUERN_TRY(const uint32_t type_id, count_or(fields, "pad_type_id", 0));
  rule.id = static_cast<TokenId>(id);
  rule.type_id = static_cast<int32_t>(type_id);
  if (fields.has("pad_token")) {
    QUERN_TRY(rule.token, fields.string("pad_token"));
  }
  return std::optional(std::move(rule));
}

}  // namespace quern::text
