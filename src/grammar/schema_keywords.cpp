#include "grammar/schema_keywords.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/json.h"
#include "base/nearest.h"

namespace quern::grammar {

namespace {

struct Keyword {
  std::string_view name;
  std::string_view type;  // that it is about; empty: none
};
constexpr Keyword kKeywords[] = {
    {"type", ""},
    {"enum", ""},
    {"const", ""},
    {"anyOf", ""},
    {"oneOf", ""},
    {"allOf", ""},
    {"$ref", ""},
    {"properties", "object"},
    {"required", "object"},
    {"additionalProperties", "object"},
    {"patternProperties", "object"},
    {"propertyNames", "object"},
    {"minProperties", "object"},
    {"maxProperties", "object"},
    {"items", "array"},
    {"prefixItems", "array"},
    {"additionalItems", "array"},
    {"minItems", "array"},
    {"maxItems", "array"},
    {"minLength", "string"},
    {"maxLength", "string"},
    {"pattern", "string"},
    {"format", "string"},
    {"minimum", "number"},
    {"maximum", "number"},
    {"exclusiveMinimum", "number"},
    {"exclusiveMaximum", "number"},
    {"multipleOf", "number"},
};
constexpr std::string_view kAnnotations[] = {"title",
                                             "description",
                                             "default",
                                             "examples",
                                             "example",
                                             "deprecated",
                                             "readOnly",
                                             "writeOnly",
                                             "$comment",
                                             "$schema",
                                             "$id",
                                             "id",
                                             "$anchor",
                                             "$defs",
                                             "definitions",
                                             "$vocabulary",
                                             "discriminator",
                                             "contentEncoding",
                                             "contentMediaType",
                                             "contentSchema",
                                             "externalDocs",
                                             "xml"};

const Keyword* find_keyword(std::string_view name) {
  const auto found = std::ranges::find(kKeywords, name, &Keyword::name);
  return found == std::end(kKeywords) ? nullptr : &*found;
}

}  // namespace

Error schema_error(const std::string& path, const std::string& message, std::string hint) {
  return make_error(ErrorCode::invalid_argument, fmt::format("json schema, {}: {}", path, message),
                    std::move(hint));
}

std::string below(const std::string& path, std::string_view step) {
  std::string result = path + "/";
  for (const char c : step) result += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return result;
}

bool is_annotation(std::string_view keyword) {
  return keyword.starts_with("x-") || std::ranges::find(kAnnotations, keyword) != std::end(kAnnotations);
}

Json normalized(const Json& schema) {
  if (!schema.is_object()) return schema;
  Json result = Json::object();
  for (const auto& [key, value] : schema.items()) {
    if (!is_annotation(key) && key != "const") result[key] = value;
  }
  if (const auto fixed = schema.find("const"); fixed != schema.end()) {
    const auto listed = result.find("enum");
    const bool both = listed == result.end() || std::ranges::find(*listed, *fixed) != listed->end();
    result["enum"] = both ? Json::array({*fixed}) : Json::array();
  }
  return result;
}

Result<void> check_keywords(const Json& schema, const std::string& path) {
  for (const auto& [key, value] : schema.items()) {
    if (is_annotation(key) || find_keyword(key)) continue;
    const bool harmless = (key == "uniqueItems" && value == false) || (key == "nullable" && value == false);
    if (harmless) continue;
    std::vector<std::string> known;
    for (const Keyword& keyword : kKeywords) known.emplace_back(keyword.name);
    const std::string meant = suggestion(key, known);
    return schema_error(below(path, key), "this keyword cannot be enforced",
                        meant.empty() ? "leave it out to have the rest enforced" : meant);
  }
  return {};
}

Result<std::set<std::string>> types_of(const Json& schema, const std::string& path) {
  static const std::set<std::string> kTypes{"object",  "array",   "string", "number",
                                            "integer", "boolean", "null"};
  std::set<std::string> types;
  if (const auto type = schema.find("type"); type != schema.end()) {
    for (const Json& name : type->is_array() ? *type : Json::array({*type})) {
      if (!name.is_string() || !kTypes.contains(name.get<std::string>()))
        return schema_error(below(path, "type"),
                            fmt::format("{} is not a type", json_excerpt(nlohmann::json(name))));
      types.insert(name.get<std::string>());
    }
    return types;
  }
  for (const auto& [key, value] : schema.items()) {
    if (const Keyword* keyword = find_keyword(key); keyword && !keyword->type.empty())
      types.emplace(keyword->type);
  }
  return types.empty() ? std::set<std::string>{"object", "array", "string", "number", "boolean", "null"}
                       : types;
}

bool has_type(const Json& value, const std::set<std::string>& types) {
  if (value.is_number()) {
    const bool whole = value.is_number_integer() || value.get<double>() == std::floor(value.get<double>());
    return types.contains("number") || (whole && types.contains("integer"));
  }
  return types.contains(value.is_object()    ? "object"
                        : value.is_array()   ? "array"
                        : value.is_string()  ? "string"
                        : value.is_boolean() ? "boolean"
                                             : "null");
}

namespace {

class Merger {
 public:
  explicit Merger(const std::string& path) : path_(path) {}

  Result<Json> run(const Json& first, const Json& second) {
    if (first.is_boolean()) return first.get<bool>() ? second : first;
    if (second.is_boolean()) return second.get<bool>() ? first : second;
    const Json a = normalized(first), b = normalized(second);
    Json result = a;
    // `items` is about what `prefixItems` beside it leaves.
    if (a.contains("prefixItems") != b.contains("prefixItems") &&
        (a.contains("items") || b.contains("items")))
      return schema_error(path_, "prefixItems cannot be merged with another schema");
    const bool objects = names_properties(a) || names_properties(b);
    if (objects) QUERN_CHECK(merge_objects(a, b, result));
    for (const auto& [key, value] : b.items()) {
      if (objects && is_object_keyword(key)) continue;
      if (!result.contains(key)) {
        result[key] = value;
      } else if (result[key] != value) {
        QUERN_TRY(Json merged, merge_values(key, result[key], value));
        result[key] = std::move(merged);
      }
    }
    return result;
  }

 private:
  static bool is_object_keyword(std::string_view key) {
    return key == "properties" || key == "patternProperties" || key == "additionalProperties";
  }
  static bool names_properties(const Json& schema) {
    return schema.contains("properties") || schema.contains("additionalProperties") ||
           schema.contains("patternProperties");
  }

  static Json both(const Json& a, const Json& b) {
    if (a == b || b == true) return a;
    if (a == true) return b;
    return {{"allOf", Json::array({a, b})}};
  }

  // What a schema says about a property it does not name. A closed one says so only by additionalProperties here.
  static Json others(const Json& schema) { return schema.value("additionalProperties", Json(true)); }

  Result<void> merge_objects(const Json& a, const Json& b, Json& result) {
    if (a.contains("patternProperties") || b.contains("patternProperties"))
      return schema_error(path_, "patternProperties cannot be merged with another schema");
    const Json none = Json::object();
    const Json in_a = a.value("properties", none), in_b = b.value("properties", none);
    Json properties = none;
    for (const auto& [name, schema] : in_a.items())
      properties[name] = both(schema, in_b.contains(name) ? in_b[name] : others(b));
    for (const auto& [name, schema] : in_b.items()) {
      if (!in_a.contains(name)) properties[name] = both(others(a), schema);
    }
    result["properties"] = std::move(properties);
    if (a.contains("additionalProperties") || b.contains("additionalProperties"))
      result["additionalProperties"] = both(others(a), others(b));
    return {};
  }

  Result<Json> merge_values(const std::string& key, const Json& a, const Json& b) {
    const auto larger = [&] { return a < b ? b : a; };
    const auto smaller = [&] { return a < b ? a : b; };
    if (key == "minimum" || key == "exclusiveMinimum" || key == "minLength" || key == "minItems" ||
        key == "minProperties")
      return larger();
    if (key == "maximum" || key == "exclusiveMaximum" || key == "maxLength" || key == "maxItems" ||
        key == "maxProperties")
      return smaller();
    if (key == "type") return merge_types(a, b);
    if (key == "enum") return shared(a, b);
    if (key == "required" && a.is_array() && b.is_array()) return united(a, b);
    if (key == "items" || key == "propertyNames" || key == "additionalItems") return both(a, b);
    if (key == "allOf" && a.is_array() && b.is_array()) return united(a, b);
    if (key == "pattern") return united(list(a), list(b));
    if (key == "anyOf" || key == "oneOf") return pairs(a, b, key);
    if (key == "multipleOf" && a.is_number_unsigned() && b.is_number_unsigned())
      return Json(std::lcm(a.get<uint64_t>() % kMostFactor, b.get<uint64_t>() % kMostFactor));
    return schema_error(below(path_, key),
                        "two schemas that must both hold differ here, and cannot be merged");
  }

  // One of a and one of b.
  Result<Json> pairs(const Json& a, const Json& b, const std::string& key) const {
    constexpr size_t kMostPairs = 256;
    if (!a.is_array() || !b.is_array() || a.size() * b.size() > kMostPairs)
      return schema_error(below(path_, key), "too many alternatives to merge");
    Json result = Json::array();
    for (const Json& first : a) {
      for (const Json& second : b) result.push_back(both(first, second));
    }
    return result;
  }

  static constexpr uint64_t kMostFactor = uint64_t{1} << 31;

  static Json list(const Json& value) { return value.is_array() ? value : Json::array({value}); }
  static Json united(const Json& a, const Json& b) {
    Json result = a;
    for (const Json& item : b) {
      if (std::ranges::find(result, item) == result.end()) result.push_back(item);
    }
    return result;
  }
  static Json shared(const Json& a, const Json& b) {
    Json result = Json::array();
    for (const Json& item : a) {
      if (std::ranges::find(b, item) != b.end()) result.push_back(item);
    }
    return result;
  }

  static Json merge_types(const Json& a, const Json& b) {
    Json result = Json::array();
    for (const Json& first : list(a)) {
      for (const Json& second : list(b)) {
        const bool whole =
            (first == "integer" && second == "number") || (first == "number" && second == "integer");
        if (first == second || whole) result.push_back(whole ? Json("integer") : first);
      }
    }
    return united(Json::array(), result);
  }

  const std::string& path_;
};

}  // namespace

Result<Json> merge_schemas(const Json& a, const Json& b, const std::string& path) {
  return Merger(path).run(a, b);
}

}  // namespace quern::grammar
