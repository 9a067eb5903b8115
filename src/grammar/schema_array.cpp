// Arrays of JSON schemas.
#include "grammar/schema_compiler.h"

namespace quern::grammar {

// So many of `part`, with commas between them.
Expr SchemaCompiler::some_of(Expr part, uint32_t least, uint32_t most) {
  if (most == 0) return rules_.empty();
  if (least <= 1 && most == kUnbounded) {
    Graph graph;
    const uint32_t before = graph.add_place(), after = graph.add_place();
    graph.add_edge(0, rules_.empty(), before);
    graph.add_edge(before, part, after);
    graph.add_edge(after, syntax_.comma(), before);
    graph.ends = {after};
    if (least == 0) graph.ends.push_back(0);
    return rules_.graph(std::move(graph));
  }
  const Expr item = shared(part, "item");
  const Expr more = rules_.repeat(rules_.sequence({syntax_.comma(), item}), least > 0 ? least - 1 : 0,
                                  most == kUnbounded ? most : most - 1);
  const Expr all = rules_.sequence({item, more});
  return least == 0 ? rules_.optional(all) : all;
}

Result<Expr> SchemaCompiler::array(const Json& schema, const std::string& path, uint32_t depth) {
  QUERN_TRY(const uint32_t least, count(schema, "minItems", 0, path));
  QUERN_TRY(uint32_t most, count(schema, "maxItems", kUnbounded, path));
  const bool old_form = schema.contains("items") && schema["items"].is_array();  // before 2020-12
  const char* first_key = old_form ? "items" : "prefixItems";
  const char* rest_key = old_form ? "additionalItems" : "items";
  const Json first = schema.value(first_key, Json::array()), rest = schema.value(rest_key, Json(true));
  if (!first.is_array()) return schema_error(below(path, first_key), "expected a list of schemas");
  if (rest == false) most = std::min(most, static_cast<uint32_t>(first.size()));
  if (least > most) return rules_.nothing();

  Graph graph;
  uint32_t at = 0, taken = 0;
  if (least == 0) graph.ends.push_back(0);
  for (; taken < first.size() && taken < most; ++taken) {
    QUERN_TRY(const Expr item,
              compile(first[taken], below(below(path, first_key), std::to_string(taken)), depth + 1));
    const uint32_t next = graph.add_place();
    graph.add_edge(at, taken == 0 ? item : rules_.sequence({syntax_.comma(), item}), next);
    at = next;
    if (taken + 1 >= least) graph.ends.push_back(at);
  }
  if (most > taken) {
    QUERN_TRY(const Expr item, compile(rest, below(path, rest_key), depth + 1));
    const uint32_t least_more = least > taken ? least - taken : 0;
    const uint32_t most_more = most == kUnbounded ? most : most - taken;
    const uint32_t end = graph.add_place();
    graph.ends.push_back(end);
    graph.add_edge(at,
                   taken == 0 ? some_of(item, least_more, most_more)
                              : rules_.repeat(rules_.sequence({syntax_.comma(), shared(item, "item")}),
                                              least_more, most_more),
                   end);
  }
  return syntax_.enclosed('[', rules_.graph(std::move(graph)), ']');
}

}  // namespace quern::grammar
