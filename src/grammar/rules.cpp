#include "grammar/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace quern::grammar {

namespace {
// Levels of nesting that the recursion over expressions allows for each level of the source.
constexpr uint32_t kLevelsPerDepth = 8;
}  // namespace

Expr Rules::add(Node node) {
  if (nodes_.size() >= limits_.expressions) return too_many_ = true, Expr{0};
  depth_ = std::max(depth_, node.depth);
  nodes_.push_back(node);
  return static_cast<Expr>(nodes_.size() - 1);
}

Expr Rules::literal(std::string_view bytes) {
  if (texts_.size() + bytes.size() > limits_.expressions * size_t{8}) return too_many_ = true, Expr{0};
  const auto begin = static_cast<uint32_t>(texts_.size());
  texts_ += bytes;
  return add({Kind::literal, begin, static_cast<uint32_t>(bytes.size())});
}

Expr Rules::add_list(Kind kind, std::span<const Expr> parts) {
  if (parts.size() == 1) return parts[0];
  if (parts_.size() + parts.size() > limits_.expressions) return too_many_ = true, Expr{0};
  Node node{kind, static_cast<uint32_t>(parts_.size()), static_cast<uint32_t>(parts.size())};
  for (const Expr part : parts) node.depth = std::max(node.depth, nodes_[part].depth + 1);
  parts_.insert(parts_.end(), parts.begin(), parts.end());
  return add(node);
}

Expr Rules::repeat(Expr part, uint32_t least, uint32_t most) {
  if (most == 0) return empty();
  if (least == 1 && most == 1) return part;
  return add({Kind::repeat, least, most, part, nodes_[part].depth + 1});
}

Expr Rules::graph(Graph graph) {
  Node node{Kind::graph, static_cast<uint32_t>(graphs_.size())};
  for (const Graph::Edge& edge : graph.edges) node.depth = std::max(node.depth, nodes_[edge.label].depth + 1);
  if (too_many_ || graph.edges.size() + graph.places > limits_.expressions) return too_many_ = true, Expr{0};
  graphs_.push_back(std::move(graph));
  return add(node);
}

Expr Rules::characters(const CharSet& set) {
  // Sequences are joined from their ends on, so that equal tails are one path.
  Graph graph;
  const uint32_t end = graph.add_place();
  graph.ends = {end};
  std::map<std::tuple<uint8_t, uint8_t, uint32_t>, uint32_t> tails;
  for (const ByteSequence& sequence : utf8_of(set)) {
    uint32_t next = end;
    for (uint32_t i = sequence.length - 1; i > 0; --i) {
      const ByteRange range = sequence.ranges[i];
      const auto [place, is_new] = tails.try_emplace({range.first, range.last, next}, graph.places);
      if (is_new) graph.add_edge(graph.add_place(), byte_range(range.first, range.last), next);
      next = place->second;
    }
    graph.add_edge(0, byte_range(sequence.ranges[0].first, sequence.ranges[0].last), next);
  }
  if (graph.edges.empty()) return nothing();
  return graph.edges.size() == 1 ? graph.edges[0].label : this->graph(std::move(graph));
}

RuleId Rules::add_rule(std::string name) {
  if (rules_.size() >= limits_.expressions) return too_many_ = true, RuleId{0};
  rules_.push_back({std::move(name)});
  return static_cast<RuleId>(rules_.size() - 1);
}

void Rules::define(RuleId rule, Expr body) {
  rules_[rule].body = body;
  rules_[rule].defined = true;
}

Result<void> Rules::check_size() const {
  if (too_many_) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the grammar is too large: more than {} parts", limits_.expressions));
  }
  if (depth_ > limits_.depth * kLevelsPerDepth) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the grammar nests too deep: more than {} levels", limits_.depth));
  }
  return {};
}

Result<void> Rules::check() const {
  QUERN_CHECK(check_size());
  for (const Rule& rule : rules_) {
    if (!rule.defined) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("rule '{}' is used and not defined", rule.name));
    }
  }
  return {};
}

}  // namespace quern::grammar
