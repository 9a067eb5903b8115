// One JSON schema becoming rules; see json_schema.h for what it keeps and refuses.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "grammar/json_number.h"
#include "grammar/json_schema.h"
#include "grammar/schema_keywords.h"

namespace quern::grammar {

class SchemaCompiler {
 public:
  SchemaCompiler(Rules& rules, const Json& document, const SchemaOptions& options)
      : rules_(rules), syntax_(rules, options.space), document_(document) {}

  // The document itself.
  Result<RuleId> run();

 private:
  // Each gives the instances of a schema, which lies at `path` and so deep in the document.
  Result<Expr> compile(const Json& schema, const std::string& path, uint32_t depth);
  Result<Expr> typed(const Json& schema, const std::string& path, uint32_t depth);
  Result<Expr> merged(Json schema, const std::string& path, uint32_t depth);
  Result<Expr> alternatives(Json schema, const std::string& key, const std::string& path, uint32_t depth);
  Result<Expr> values(const Json& schema, const std::string& path);

  Result<Json> resolve(const std::string& reference, const std::string& path) const;
  Result<Json> without_reference(Json schema, const std::string& path) const;
  Expr call_of(const std::string& reference);
  Result<bool> accepts(const Json& schema, const Json& value, const std::string& path) const;
  Expr value_of(const Json& value);

  // schema_string.cpp: what stands between the quotes.
  Result<Expr> string(const Json& schema, const std::string& path);
  Result<Expr> content(const Json& schema, const std::string& path);
  Result<Expr> pattern(const Json& pattern, const std::string& path);
  // schema_number.cpp
  Result<Expr> number(const Json& schema, bool whole, const std::string& path);
  // schema_object.cpp
  struct Properties;
  Result<Expr> object(const Json& schema, const std::string& path, uint32_t depth);
  Result<void> add_named(const Json& schema, const std::string& path, uint32_t depth, Properties& properties);
  Result<void> add_others(const Json& schema, const std::string& path, uint32_t depth,
                          Properties& properties);
  Result<bool> may_be_named(const Json& schema, const std::string& name, const std::string& path);
  Result<Expr> other_names(const Json& schema, const std::string& path);
  Expr in_order(const Properties& properties);
  // schema_array.cpp
  Result<Expr> array(const Json& schema, const std::string& path, uint32_t depth);
  Expr some_of(Expr part, uint32_t least, uint32_t most);

  // A rule for an expression that stands in several places.
  Expr shared(Expr expr, const char* name);
  // All of several languages; nothing to begin with.
  Result<void> narrow(std::optional<Expr>& expr, Expr to, const std::string& path);
  // A count in a keyword, or `otherwise`.
  static Result<uint32_t> count(const Json& schema, const char* keyword, uint32_t otherwise,
                                const std::string& path);

  Rules& rules_;
  JsonSyntax syntax_;
  const Json& document_;
  std::map<std::string, RuleId> references_;
  std::vector<std::string> waiting_;  // of them, to be compiled
};

}  // namespace quern::grammar
