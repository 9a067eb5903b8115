#include "grammar/grammar_cache.h"

#include "base/hash.h"
#include "grammar/gbnf.h"
#include "grammar/regex.h"

namespace quern::grammar {

namespace {

Result<NamedRules> parse_schemas(const Constraint& constraint, Rules& rules) {
  NamedRules named;
  for (const auto& [name, schema] : constraint.schemas) {
    QUERN_TRY(named[name], parse_json_schema(schema, rules, {.space = constraint.space}));
  }
  return named;
}

Result<RuleId> parse(const Constraint& constraint, Rules& rules) {
  const SchemaOptions options{.space = constraint.space};
  switch (constraint.kind) {
    case Constraint::Kind::json_schema:
      return parse_json_schema(constraint.text, rules, options);
    case Constraint::Kind::json_object:
      return any_json(rules, true, options);
    case Constraint::Kind::gbnf: {
      QUERN_TRY(const NamedRules schemas, parse_schemas(constraint, rules));
      return parse_gbnf(constraint.text, rules, schemas);
    }
    case Constraint::Kind::regex:
      break;
  }
  QUERN_TRY(const Expr body, parse_regex(constraint.text, rules));
  const RuleId root = rules.add_rule("root");
  rules.define(root, body);
  return root;
}

}  // namespace

Result<std::shared_ptr<const Grammar>> compile(const Constraint& constraint, const Limits& limits) {
  Rules rules(limits);
  QUERN_TRY(const RuleId root, parse(constraint, rules));
  return Grammar::compile(std::move(rules), root);
}

size_t GrammarCache::Hash::operator()(const Constraint& constraint) const {
  Hasher hasher;
  const auto kind = static_cast<char>(constraint.kind), space = static_cast<char>(constraint.space);
  hasher.add(std::string{kind, space}).add(constraint.text);
  for (const auto& [name, schema] : constraint.schemas) hasher.add(name).add(schema);
  return hasher.result().low;
}

std::shared_ptr<TokenMasks> GrammarCache::find(const Constraint& constraint) {
  const auto* const known = masks_.find(constraint);
  return known == nullptr ? nullptr : *known;
}

Result<std::shared_ptr<TokenMasks>> GrammarCache::get(const Constraint& constraint) {
  {
    const std::lock_guard lock(mutex_);
    if (auto known = find(constraint)) return known;
  }
  QUERN_TRY(std::shared_ptr<const Grammar> grammar, compile(constraint));
  auto masks = std::make_shared<TokenMasks>(std::move(grammar), vocabulary_, shared_);
  const std::lock_guard lock(mutex_);
  if (auto known = find(constraint)) return known;
  masks_.put(constraint, masks);
  return masks;
}

size_t GrammarCache::size() const {
  const std::lock_guard lock(mutex_);
  return masks_.count();
}

}  // namespace quern::grammar
