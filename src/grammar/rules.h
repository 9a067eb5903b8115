// The one form that every front end (GBNF, regular expressions, JSON schema) writes: rules, each an expression over
// bytes and calls of rules. `Grammar::compile` makes automata of it.
//
//   Rules rules;
//   const RuleId list = rules.add_rule("list");
//   rules.define(list, rules.sequence({rules.literal("x"), rules.optional(rules.call(list))}));
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/char_set.h"
#include "grammar/limits.h"

namespace quern::grammar {

// Steps that may still be spent on making automata.
struct WorkBudget {
  uint64_t left;
  bool take(uint64_t steps) { return left >= steps ? (left -= steps, true) : (left = 0, false); }
};

using RuleId = uint32_t;
using Expr = uint32_t;  // an expression of one Rules
inline constexpr uint32_t kUnbounded = UINT32_MAX;

// An automaton whose edges are expressions: what sequences and choices cannot say without repeating themselves.
// Places are numbered from 0, where it starts.
struct Graph {
  struct Edge {
    uint32_t from, to;
    Expr label;
  };
  uint32_t places = 1;
  std::vector<Edge> edges;
  std::vector<uint32_t> ends;

  uint32_t add_place() { return places++; }
  void add_edge(uint32_t from, Expr label, uint32_t to) { edges.push_back({from, to, label}); }
};

// Past a limit expressions are still given out, but mean nothing; compiling then fails. Not thread-safe.
class Rules {
 public:
  enum class Kind : uint8_t { empty, bytes, literal, sequence, choice, repeat, call, graph };
  struct Node {
    Kind kind;
    uint32_t a = 0,
             b = 0;  // bytes: first, last; repeat: least, most; call: rule; others: place and number of parts
    uint32_t part = 0;   // of a repeat
    uint32_t depth = 1;  // of the tree below
  };
  struct Rule {
    std::string name;
    Expr body = 0;
    bool defined = false;
  };

  explicit Rules(Limits limits = {}) : limits_(limits), budget_{limits.compile_work} { empty(); }

  Expr empty() { return nodes_.empty() ? add({Kind::empty}) : 0; }
  Expr nothing() { return choice({}); }  // no text at all
  Expr byte_range(uint8_t first, uint8_t last) { return add({Kind::bytes, first, last}); }
  Expr literal(std::string_view bytes);
  // One of these characters, in UTF-8.
  Expr characters(const CharSet& set);
  Expr sequence(std::span<const Expr> parts) { return add_list(Kind::sequence, parts); }
  Expr sequence(std::initializer_list<Expr> parts) {
    return sequence(std::span(parts.begin(), parts.size()));
  }
  Expr choice(std::span<const Expr> parts) { return add_list(Kind::choice, parts); }
  Expr choice(std::initializer_list<Expr> parts) { return choice(std::span(parts.begin(), parts.size())); }
  // Precondition: least <= most.
  Expr repeat(Expr part, uint32_t least, uint32_t most);
  Expr optional(Expr part) { return repeat(part, 0, 1); }
  Expr call(RuleId rule) { return add({Kind::call, rule}); }
  Expr graph(Graph graph);

  RuleId add_rule(std::string name);
  void define(RuleId rule, Expr body);

  const Node& node(Expr expr) const { return nodes_[expr]; }
  std::span<const Expr> parts(const Node& node) const { return {parts_.data() + node.a, node.b}; }
  std::string_view text(const Node& node) const { return std::string_view(texts_).substr(node.a, node.b); }
  const Graph& graph_of(const Node& node) const { return graphs_[node.a]; }
  const std::vector<Rule>& rules() const { return rules_; }
  size_t size() const { return nodes_.size(); }
  const Limits& limits() const { return limits_; }
  WorkBudget& budget() { return budget_; }
  // invalid_argument when there are too many expressions or they nest too deep.
  Result<void> check_size() const;
  // The same, and when a rule is not defined.
  Result<void> check() const;

 private:
  Expr add(Node node);
  Expr add_list(Kind kind, std::span<const Expr> parts);

  Limits limits_;
  WorkBudget budget_;
  std::vector<Node> nodes_;
  std::vector<Expr> parts_;
  std::string texts_;
  std::vector<Graph> graphs_;
  std::vector<Rule> rules_;
  bool too_many_ = false;
  uint32_t depth_ = 1;
};

}  // namespace quern::grammar
