#include "grammar/json_schema.h"

#include <fmt/format.h>

#include "base/json.h"
#include "grammar/matcher.h"
#include "grammar/schema_compiler.h"

namespace quern::grammar {

Result<RuleId> SchemaCompiler::run() {
  const Expr root = call_of("#");
  while (!waiting_.empty()) {
    const std::string reference = waiting_.back();
    waiting_.pop_back();
    QUERN_TRY(const Json schema, resolve(reference, reference));
    QUERN_TRY(const Expr body, compile(schema, reference, 0));
    rules_.define(references_.at(reference), body);
    QUERN_CHECK(rules_.check_size());
  }
  return rules_.node(root).a;
}

Expr SchemaCompiler::call_of(const std::string& reference) {
  auto found = references_.find(reference);
  if (found == references_.end()) {
    found = references_.emplace(reference, rules_.add_rule(reference)).first;
    waiting_.push_back(reference);
  }
  return rules_.call(found->second);
}

Result<Expr> SchemaCompiler::compile(const Json& schema, const std::string& path, uint32_t depth) {
  if (depth > rules_.limits().depth)
    return schema_error(path, fmt::format("the schema nests deeper than {} levels", rules_.limits().depth));
  if (schema.is_boolean()) return schema.get<bool>() ? syntax_.value() : rules_.nothing();
  if (!schema.is_object()) return schema_error(path, "expected a schema: an object, true or false");
  QUERN_CHECK(check_keywords(schema, path));
  QUERN_CHECK(rules_.check_size());
  Json plain = normalized(schema);
  if (plain.contains("$ref")) {
    if (plain.size() == 1 && plain["$ref"].is_string()) {
      QUERN_CHECK(resolve(plain["$ref"], path));
      return call_of(plain["$ref"]);
    }
    QUERN_TRY(plain, without_reference(std::move(plain), path));
    return compile(plain, path, depth + 1);
  }
  if (plain.contains("allOf")) return merged(std::move(plain), path, depth);
  for (const char* key : {"anyOf", "oneOf"}) {
    if (plain.contains(key)) return alternatives(std::move(plain), key, path, depth);
  }
  if (plain.contains("enum")) return values(plain, path);
  return typed(plain, path, depth);
}

Result<Expr> SchemaCompiler::typed(const Json& schema, const std::string& path, uint32_t depth) {
  if (schema.empty()) return syntax_.value();
  QUERN_TRY(const std::set<std::string> types, types_of(schema, path));
  std::vector<Expr> choices;
  for (const std::string& type : types) {
    if (type == "integer" && types.contains("number")) continue;
    if (type == "boolean") {
      choices.push_back(rules_.choice({rules_.literal("true"), rules_.literal("false")}));
    } else if (type == "null") {
      choices.push_back(rules_.literal("null"));
    } else {
      QUERN_TRY(const Expr choice, type == "object"   ? object(schema, path, depth)
                                   : type == "array"  ? array(schema, path, depth)
                                   : type == "string" ? string(schema, path)
                                                      : number(schema, type == "integer", path));
      choices.push_back(choice);
    }
  }
  return rules_.choice(choices);
}

Result<Expr> SchemaCompiler::merged(Json schema, const std::string& path, uint32_t depth) {
  const Json parts = schema["allOf"];
  const std::string at = below(path, "allOf");
  schema.erase("allOf");
  if (!parts.is_array() || parts.empty()) return schema_error(at, "expected a list of schemas");
  if (parts.size() == 1 && schema.empty()) return compile(parts[0], below(at, "0"), depth + 1);
  Json whole = std::move(schema);
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string place = below(at, std::to_string(i));
    if (parts[i].is_object()) QUERN_CHECK(check_keywords(parts[i], place));
    QUERN_TRY(const Json part, without_reference(normalized(parts[i]), place));
    QUERN_TRY(whole, merge_schemas(whole, part, place));
  }
  return compile(whole, path, depth + 1);
}

Result<Expr> SchemaCompiler::alternatives(Json schema, const std::string& key, const std::string& path,
                                          uint32_t depth) {
  const Json parts = schema[key];
  const std::string at = below(path, key);
  schema.erase(key);
  if (!parts.is_array() || parts.empty()) return schema_error(at, "expected a list of schemas");
  std::vector<Expr> choices;
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string place = below(at, std::to_string(i));
    Json part = parts[i];
    if (!schema.empty()) {
      if (part.is_object()) QUERN_CHECK(check_keywords(part, place));
      QUERN_TRY(part, without_reference(normalized(part), place));
      QUERN_TRY(part, merge_schemas(schema, part, place));
    }
    QUERN_TRY(const Expr choice, compile(part, place, depth + 1));
    choices.push_back(choice);
  }
  return rules_.choice(choices);
}

Result<Json> SchemaCompiler::without_reference(Json schema, const std::string& path) const {
  constexpr int kMostSteps = 32;
  for (int step = 0; schema.is_object() && schema.contains("$ref"); ++step) {
    if (step == kMostSteps) return schema_error(path, "$ref leads back to itself");
    if (!schema["$ref"].is_string()) return schema_error(below(path, "$ref"), "expected a string");
    QUERN_TRY(const Json target, resolve(schema["$ref"], path));
    if (target.is_object()) QUERN_CHECK(check_keywords(target, schema["$ref"].get<std::string>()));
    schema.erase("$ref");
    Json rest = normalized(target), reference;
    if (rest.is_object() && rest.contains("$ref")) {
      reference = rest["$ref"];
      rest.erase("$ref");
    }
    QUERN_TRY(schema, merge_schemas(rest, schema, path));
    if (schema.is_object() && !reference.is_null()) schema["$ref"] = reference;
  }
  return schema;
}

Result<Json> SchemaCompiler::resolve(const std::string& reference, const std::string& path) const {
  const auto fail = [&](const char* message) {
    return schema_error(path, fmt::format("$ref '{}': {}", reference, message));
  };
  if (!reference.starts_with('#')) return fail("only references within the document are supported");
  const Json* at = &document_;
  std::string_view rest = std::string_view(reference).substr(1);
  if (!rest.empty() && rest[0] != '/') return fail("anchors are not supported");
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const size_t end = std::min(rest.find('/'), rest.size());
    std::string step;
    for (size_t i = 0; i < end; ++i) {
      const bool escaped = rest[i] == '~' && i + 1 < end && (rest[i + 1] == '0' || rest[i + 1] == '1');
      step += escaped ? (rest[++i] == '0' ? '~' : '/') : rest[i];
    }
    rest.remove_prefix(end);
    if (at->is_object() && at->contains(step)) {
      at = &at->at(step);
    } else if (size_t index = 0;
               at->is_array() && std::sscanf(step.c_str(), "%zu", &index) == 1 && index < at->size()) {
      at = &at->at(index);
    } else {
      return fail("there is nothing at this place");
    }
  }
  return *at;
}

// Whether a value is an instance, found out by matching its text.
Result<bool> SchemaCompiler::accepts(const Json& schema, const Json& value, const std::string& path) const {
  Rules rules(rules_.limits());
  Json document = document_.is_object() ? document_ : Json::object();
  SchemaCompiler compiler(rules, document, {.space = JsonSpace::none});
  QUERN_TRY(const Expr body, compiler.compile(schema, path, 0));
  if (!compiler.waiting_.empty()) return schema_error(path, "$ref cannot be combined with enum");
  const RuleId root = rules.add_rule("root");
  rules.define(root, body);
  const auto grammar = Grammar::compile(std::move(rules), root);
  if (!grammar.ok()) return false;
  Matcher matcher(*grammar);
  return matcher.accept(value.dump()) && matcher.can_end();
}

Result<Expr> SchemaCompiler::values(const Json& schema, const std::string& path) {
  const Json& listed = schema["enum"];
  if (!listed.is_array()) return schema_error(below(path, "enum"), "expected a list");
  Json others = schema;
  others.erase("enum");
  const bool plain = others.empty() || (others.size() == 1 && others.contains("type"));
  QUERN_TRY(const std::set<std::string> types, types_of(others, path));
  std::vector<Expr> choices;
  for (const Json& value : listed) {
    if (!has_type(value, types)) continue;
    if (!plain) {
      QUERN_TRY(const bool accepted, accepts(others, value, path));
      if (!accepted) continue;
    }
    choices.push_back(value_of(value));
    QUERN_CHECK(rules_.check_size());
  }
  return rules_.choice(choices);
}

Expr SchemaCompiler::value_of(const Json& value) {
  if (!value.is_structured()) return rules_.literal(value.dump());
  std::vector<Expr> parts;
  for (const auto& [key, item] : value.items()) {
    if (!parts.empty()) parts.push_back(syntax_.comma());
    const Expr inner = value_of(item);
    parts.push_back(value.is_array() ? inner : syntax_.entry(rules_.literal(Json(key).dump()), inner));
  }
  const Expr content = rules_.sequence(parts);
  return value.is_array() ? syntax_.enclosed('[', content, ']') : syntax_.enclosed('{', content, '}');
}

Expr SchemaCompiler::shared(Expr expr, const char* name) {
  const RuleId rule = rules_.add_rule(name);
  rules_.define(rule, expr);
  return rules_.call(rule);
}

Result<void> SchemaCompiler::narrow(std::optional<Expr>& expr, Expr to, const std::string& path) {
  if (!expr) return expr = to, Result<void>();
  auto both = intersect(rules_, *expr, to);
  if (!both.ok()) {
    return schema_error(path, "these keywords cannot be enforced together: " + both.error().message,
                        both.error().hint);
  }
  return expr = *both, Result<void>();
}

Result<uint32_t> SchemaCompiler::count(const Json& schema, const char* keyword, uint32_t otherwise,
                                       const std::string& path) {
  const auto found = schema.find(keyword);
  if (found == schema.end()) return otherwise;
  const bool whole = found->is_number() && found->get<double>() >= 0 &&
                     found->get<double>() == static_cast<double>(static_cast<uint64_t>(found->get<double>()));
  if (!whole) return schema_error(below(path, keyword), "expected a whole number of at least 0");
  return static_cast<uint32_t>(std::min<double>(found->get<double>(), kUnbounded - 1));
}

Result<RuleId> parse_json_schema(std::string_view schema, Rules& rules, const SchemaOptions& options) {
  if (schema.size() > rules.limits().source_bytes) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("json schema: {} bytes are more than the {} that are read", schema.size(),
                                  rules.limits().source_bytes));
  }
  QUERN_CHECK(parse_json(schema, "json schema", static_cast<int>(rules.limits().depth)));
  const Json document = Json::parse(schema);
  return SchemaCompiler(rules, document, options).run();
}

RuleId any_json(Rules& rules, bool objects, const SchemaOptions& options) {
  JsonSyntax syntax(rules, options.space);
  return rules.node(objects ? syntax.object() : syntax.value()).a;
}

}  // namespace quern::grammar
