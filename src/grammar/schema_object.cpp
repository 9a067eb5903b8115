// Objects of JSON schemas.
#include <fmt/format.h>

#include <algorithm>

#include "grammar/automaton.h"
#include "grammar/schema_compiler.h"

namespace quern::grammar {

struct SchemaCompiler::Properties {
  struct Named {
    Expr entry;
    bool required;
  };
  std::vector<Named> named;
  std::optional<Expr> other;  // one that has no name in the schema
  uint32_t least = 0, most = kUnbounded;
};

// Whether propertyNames lets a property have this name.
Result<bool> SchemaCompiler::may_be_named(const Json& schema, const std::string& name,
                                          const std::string& path) {
  if (!schema.contains("propertyNames")) return true;
  return accepts(schema["propertyNames"], name, below(path, "propertyNames"));
}

Result<void> SchemaCompiler::add_named(const Json& schema, const std::string& path, uint32_t depth,
                                       Properties& properties) {
  const Json named = schema.value("properties", Json::object()),
             required = schema.value("required", Json::array());
  const Json patterns = schema.value("patternProperties", Json::object());
  if (!named.is_object()) return schema_error(below(path, "properties"), "expected an object");
  if (!required.is_array()) return schema_error(below(path, "required"), "expected a list of names");
  Json all = named;
  for (const Json& name : required) {
    if (!name.is_string()) return schema_error(below(path, "required"), "expected a list of names");
    // Like those that additionalProperties is about.
    if (!all.contains(name.get<std::string>()))
      all[name.get<std::string>()] = schema.value("additionalProperties", Json(true));
  }
  for (const auto& [name, given] : all.items()) {
    std::string at = below(below(path, "properties"), name);
    Json value = given;
    for (const auto& [pattern, more] : patterns.items()) {
      QUERN_TRY(const bool matches, accepts({{"type", "string"}, {"pattern", pattern}}, name, path));
      if (matches) value = named.contains(name) ? Json{{"allOf", Json::array({value, more})}} : more;
    }
    const bool is_required = std::ranges::find(required, Json(name)) != required.end();
    QUERN_TRY(const bool allowed, may_be_named(schema, name, path));
    QUERN_TRY(const Expr expr, compile(allowed ? value : Json(false), at, depth + 1));
    properties.named.push_back({syntax_.entry(syntax_.quoted(syntax_.text(name)), expr), is_required});
  }
  return {};
}

// What the names of other properties may be, between their quotes.
Result<Expr> SchemaCompiler::other_names(const Json& schema, const std::string& path) {
  const Expr any = rules_.repeat(syntax_.char_of(CharSet::all()), 0, kUnbounded);
  if (!schema.contains("propertyNames")) return any;
  const std::string at = below(path, "propertyNames");
  const Json names = normalized(schema["propertyNames"]);
  if (names.is_boolean()) return names == true ? any : rules_.nothing();
  if (!names.is_object()) return schema_error(at, "expected a schema");
  for (const auto& [key, value] : names.items()) {
    constexpr std::string_view kKnown[] = {"type", "enum", "minLength", "maxLength", "pattern", "format"};
    if (std::ranges::find(kKnown, key) == std::end(kKnown))
      return schema_error(below(at, key), "this keyword cannot be enforced for names");
  }
  if (names.contains("enum")) {
    std::vector<Expr> choices;
    for (const Json& name : names["enum"]) {
      if (name.is_string()) choices.push_back(syntax_.text(name.get<std::string>()));
    }
    return rules_.choice(choices);
  }
  QUERN_TRY(const Expr content, this->content(names, at));
  std::optional<Expr> result = any;
  QUERN_CHECK(narrow(result, content, at));
  return *result;
}

Result<void> SchemaCompiler::add_others(const Json& schema, const std::string& path, uint32_t depth,
                                        Properties& properties) {
  const Json patterns = schema.value("patternProperties", Json::object());
  const bool closed = schema.contains("properties") || schema.contains("patternProperties");
  const Json others = schema.value("additionalProperties", Json(!closed));
  if (!patterns.is_object()) return schema_error(below(path, "patternProperties"), "expected an object");
  if (patterns.size() > 1)
    return schema_error(below(path, "patternProperties"), "more than one pattern cannot be enforced");
  if (others == false && patterns.empty()) return {};
  QUERN_TRY(Expr names, other_names(schema, path));
  std::vector<Expr> known;
  const Json named = schema.value("properties", Json::object()),
             required = schema.value("required", Json::array());
  for (const auto& [name, value] : named.items()) known.push_back(syntax_.text(name));
  for (const Json& name : required) known.push_back(syntax_.text(name.get<std::string>()));
  if (!known.empty()) {
    QUERN_TRY(names, subtract(rules_, names, rules_.choice(known)));
  }
  std::vector<Expr> choices;
  for (const auto& [pattern, value] : patterns.items()) {
    const std::string at = below(below(path, "patternProperties"), pattern);
    QUERN_TRY(const Expr matching, this->pattern(pattern, at));
    QUERN_TRY(const Expr expr, compile(value, at, depth + 1));
    QUERN_TRY(const Expr allowed, intersect(rules_, names, matching));
    choices.push_back(syntax_.entry(syntax_.quoted(allowed), expr));
    QUERN_TRY(names, subtract(rules_, names, matching));
  }
  if (others != false) {
    QUERN_TRY(const Expr expr, compile(others, below(path, "additionalProperties"), depth + 1));
    choices.push_back(syntax_.entry(syntax_.quoted(names), expr));
  }
  properties.other = rules_.choice(choices);
  return {};
}

// Properties one after another, any of those that are not required left out. Places are numbered by how many were
// passed, and how many of them are there: as far as somebody counts, 0 or some else.
Expr SchemaCompiler::in_order(const Properties& properties) {
  const auto& named = properties.named;
  const bool bounded = properties.most != kUnbounded;
  const uint32_t cap = std::max(bounded ? properties.most : properties.least, 1u);
  const bool counts = bounded || cap > 1;
  Graph graph;
  graph.places = static_cast<uint32_t>(named.size() + 1) * (cap + 1);
  const auto place = [&](size_t passed, uint32_t there) {
    return static_cast<uint32_t>(passed) * (cap + 1) + there;
  };
  const auto add = [&](size_t from, Expr entry, size_t to) {
    if (!counts) {  // one copy of the entry, which may be large
      const uint32_t before = graph.add_place();
      graph.add_edge(place(from, 0), rules_.empty(), before);
      graph.add_edge(place(from, 1), syntax_.comma(), before);
      return graph.add_edge(before, entry, place(to, 1));
    }
    const Expr called = shared(entry, "property");
    for (uint32_t there = 0; there <= cap; ++there) {
      if (there == cap && bounded) continue;
      graph.add_edge(place(from, there), there == 0 ? called : rules_.sequence({syntax_.comma(), called}),
                     place(to, std::min(there + 1, cap)));
    }
  };
  for (size_t i = 0; i < named.size(); ++i) {
    add(i, named[i].entry, i + 1);
    for (uint32_t there = 0; there <= cap && !named[i].required; ++there)
      graph.add_edge(place(i, there), rules_.empty(), place(i + 1, there));
  }
  if (properties.other) add(named.size(), *properties.other, named.size());
  for (uint32_t there = std::min(properties.least, cap); there <= cap; ++there)
    graph.ends.push_back(place(named.size(), there));
  return rules_.graph(std::move(graph));
}

Result<Expr> SchemaCompiler::object(const Json& schema, const std::string& path, uint32_t depth) {
  constexpr uint64_t kMostPlaces = 20'000;
  Properties properties;
  QUERN_TRY(properties.least, count(schema, "minProperties", 0, path));
  QUERN_TRY(properties.most, count(schema, "maxProperties", kUnbounded, path));
  const bool is_any = !schema.contains("properties") && !schema.contains("required") &&
                      !schema.contains("additionalProperties") && !schema.contains("patternProperties") &&
                      !schema.contains("propertyNames") && properties.least == 0 &&
                      properties.most == kUnbounded;
  if (is_any) return syntax_.object();
  QUERN_CHECK(add_named(schema, path, depth, properties));
  QUERN_CHECK(add_others(schema, path, depth, properties));
  const auto required =
      static_cast<uint32_t>(std::ranges::count(properties.named, true, &Properties::Named::required));
  if (properties.least <= required) properties.least = 0;
  if (!properties.other && properties.most >= properties.named.size()) properties.most = kUnbounded;
  if (properties.least > properties.most) return rules_.nothing();
  const uint32_t counted = properties.most == kUnbounded ? properties.least : properties.most;
  if ((properties.named.size() + 1) * (uint64_t{counted} + 1) > kMostPlaces) {
    return schema_error(
        path, fmt::format("{} properties cannot be counted up to {}", properties.named.size(), counted));
  }
  return syntax_.enclosed('{', in_order(properties), '}');
}

}  // namespace quern::grammar
