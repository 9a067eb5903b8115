#include "server/response_format.h"

#include <fmt/format.h>

#include "base/json.h"
#include "server/api_format.h"

namespace quern::server {

namespace {

using Json = nlohmann::ordered_json;
using Kind = grammar::Constraint::Kind;

Result<grammar::Constraint> of_schema(std::string_view name, const Json& schema) {
  if (schema.is_string()) return grammar::Constraint{Kind::json_schema, schema.get<std::string>()};
  if (!schema.is_object() && !schema.is_boolean()) return wrong_value(name, "a JSON schema", schema);
  return grammar::Constraint{Kind::json_schema, schema.dump()};
}

Result<std::optional<grammar::Constraint>> of_format(const Json& format) {
  const std::string_view expected = R"({"type": "text", "json_object" or "json_schema"})";
  if (!format.is_object() || !format.contains("type") || !format["type"].is_string())
    return wrong_value("response_format", expected, format);
  const auto type = format["type"].get<std::string>();
  if (type == "text") return std::optional<grammar::Constraint>();
  if (type == "json_object") {
    // llama-server takes a schema here, too.
    if (!format.contains("schema")) return std::optional(grammar::Constraint{Kind::json_object});
    QUERN_TRY(grammar::Constraint constraint, of_schema("response_format.schema", format["schema"]));
    return std::optional(std::move(constraint));
  }
  if (type != "json_schema") return wrong_value("response_format", expected, format);
  const Json named = format.value("json_schema", Json());
  if (!named.is_object() || !named.contains("schema"))
    return wrong_value("response_format.json_schema", "an object with a \"schema\"", named);
  QUERN_TRY(grammar::Constraint constraint, of_schema("response_format.json_schema.schema", named["schema"]));
  return std::optional(std::move(constraint));
}

Result<grammar::Constraint> of_text(const std::string& name, Kind kind, const Json& value) {
  if (!value.is_string()) return wrong_value(name, "text", value);
  return grammar::Constraint{kind, value.get<std::string>()};
}

}  // namespace

std::span<const std::string> constraint_keys() {
  static const std::vector<std::string> keys = {"response_format", "json_schema", "guided_json",   "regex",
                                                "guided_regex",    "grammar",     "guided_grammar"};
  return keys;
}

Result<std::optional<grammar::Constraint>> read_constraint(const Json& body) {
  std::optional<grammar::Constraint> constraint;
  std::string from;
  for (const std::string& key : constraint_keys()) {
    const auto value = body.find(key);
    if (value == body.end() || value->is_null()) continue;
    std::optional<grammar::Constraint> found;
    if (key == "response_format") {
      QUERN_TRY(found, of_format(*value));
    } else if (key == "json_schema" || key == "guided_json") {
      QUERN_TRY(found, of_schema(key, *value));
    } else {
      const Kind kind = key == "grammar" || key == "guided_grammar" ? Kind::gbnf : Kind::regex;
      QUERN_TRY(found, of_text(key, kind, *value));
    }
    if (!found) continue;
    if (constraint) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("request: {} and {} both say what the answer must be", from, key),
                        "give one of them");
    }
    constraint = std::move(found);
    from = key;
  }
  return constraint;
}

}  // namespace quern::server
