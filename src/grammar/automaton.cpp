#include "grammar/automaton.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <map>
#include <unordered_map>

#include "base/hash.h"

namespace quern::grammar {

namespace {

using StateSet = std::vector<uint32_t>;

struct HashSet {
  size_t operator()(const StateSet& set) const { return hash64(std::as_bytes(std::span(set))); }
};

Error too_large(const Limits& limits) {
  return make_error(
      ErrorCode::invalid_argument,
      fmt::format("the grammar is too large: its automaton has more than {} states, or takes too "
                  "long to make",
                  limits.states),
      "smaller repetitions, or alternatives that begin differently, make smaller automata");
}

// Numbers the sets of states that one text may lead to.
class Subsets {
 public:
  Subsets(const Nfa& nfa, WorkBudget& budget) : nfa_(nfa), budget_(budget), seen_(nfa.first_edge.size(), 0) {}

  // The number of the set of `kernel` and all that is reached from it by empty edges.
  uint32_t number(const StateSet& kernel) {
    ++stamp_;
    StateSet set;
    for (const uint32_t state : kernel) visit(state, set);
    for (size_t i = 0; i < set.size(); ++i) {
      for (uint32_t e = nfa_.first_edge[set[i]]; e != Nfa::kNone; e = nfa_.edges[e].next) {
        if (nfa_.edges[e].kind == Nfa::Kind::empty) visit(nfa_.edges[e].target, set);
      }
    }
    std::ranges::sort(set);
    budget_.take(set.size() + 1);
    const auto [place, is_new] = numbers_.try_emplace(std::move(set), sets_.size());
    if (is_new) sets_.push_back(&place->first);
    return place->second;
  }

  size_t count() const { return sets_.size(); }
  const StateSet& operator[](uint32_t number) const { return *sets_[number]; }

 private:
  void visit(uint32_t state, StateSet& set) {
    if (seen_[state] == stamp_) return;
    seen_[state] = stamp_;
    set.push_back(state);
  }

  const Nfa& nfa_;
  WorkBudget& budget_;
  std::vector<uint32_t> seen_;
  uint32_t stamp_ = 0;
  std::unordered_map<StateSet, uint32_t, HashSet> numbers_;
  std::vector<const StateSet*> sets_;  // keys of the map, which stay where they are
};

class Determinizer {
 public:
  Determinizer(const Nfa& nfa, const Limits& limits, WorkBudget& budget)
      : nfa_(nfa), limits_(limits), budget_(budget), subsets_(nfa, budget) {}

  Result<Automaton> run() {
    subsets_.number({nfa_.start});
    for (uint32_t i = 0; i < subsets_.count(); ++i) {
      if (subsets_.count() > limits_.states || budget_.left == 0) return too_large(limits_);
      add_state(subsets_[i]);
    }
    return std::move(result_);
  }

 private:
  void add_state(const StateSet& set) {
    result_.states.emplace_back();
    result_.states.back().accepting = std::ranges::binary_search(set, nfa_.end);
    std::bitset<257> begins;
    for_each_edge(set, [&](const Nfa::Edge& edge) {
      if (edge.kind == Nfa::Kind::call) targets_of_calls_[edge.callee].push_back(edge.target);
      if (edge.kind == Nfa::Kind::bytes) begins.set(edge.first).set(edge.last + size_t{1});
    });
    add_calls();
    if (begins.any()) add_bytes(set, begins);
  }

  template <class Visit>
  void for_each_edge(const StateSet& set, const Visit& visit) {
    uint64_t steps = 0;
    for (const uint32_t state : set) {
      for (uint32_t e = nfa_.first_edge[state]; e != Nfa::kNone; e = nfa_.edges[e].next, ++steps)
        visit(nfa_.edges[e]);
    }
    budget_.take(steps);
  }

  void add_calls() {
    std::vector<Automaton::CallEdge>& calls = result_.states.back().calls;
    for (auto& [callee, targets] : targets_of_calls_) calls.push_back({callee, subsets_.number(targets)});
    targets_of_calls_.clear();
  }

  // Bytes between two beginnings of ranges behave alike.
  void add_bytes(const StateSet& set, const std::bitset<257>& begins) {
    std::array<uint16_t, 257> segment_of{};
    uint16_t segments = 0;
    for (size_t byte = 0; byte < 257; ++byte) {
      if (byte > 0 && begins[byte]) ++segments;
      segment_of[byte] = segments;
    }
    std::vector<StateSet> targets(segments + size_t{1});
    for_each_edge(set, [&](const Nfa::Edge& edge) {
      if (edge.kind != Nfa::Kind::bytes) return;
      for (uint16_t s = segment_of[edge.first]; s <= segment_of[edge.last]; ++s)
        targets[s].push_back(edge.target);
    });
    std::vector<Automaton::ByteEdge>& edges = result_.states.back().bytes;
    for (size_t byte = 0; byte < 256;) {
      const size_t first = byte;
      StateSet& reached = targets[segment_of[byte]];
      while (byte < 256 && segment_of[byte] == segment_of[first]) ++byte;
      if (reached.empty()) continue;
      const auto last = static_cast<uint8_t>(byte - 1);
      const uint32_t target = subsets_.number(reached);
      if (!edges.empty() && edges.back().target == target && edges.back().last + size_t{1} == first) {
        edges.back().last = last;
      } else {
        edges.push_back({static_cast<uint8_t>(first), last, target});
      }
    }
  }

  const Nfa& nfa_;
  const Limits& limits_;
  WorkBudget& budget_;
  Subsets subsets_;
  Automaton result_;
  std::map<CalleeId, StateSet> targets_of_calls_;
};

constexpr uint32_t kDead = UINT32_MAX;

// Both automata side by side; a state of the second may be dead.
class Product {
 public:
  Product(const Automaton& a, const Automaton& b, bool subtracts) : a_(a), b_(b), subtracts_(subtracts) {}

  // The part from which the end is reached, as a graph over `rules`.
  Result<Expr> run(Rules& rules) {
    number({0, 0});
    for (uint32_t i = 0; i < pairs_.size(); ++i) {
      if (pairs_.size() > rules.limits().states || !rules.budget().take(256))
        return too_large(rules.limits());
      add_edges(rules, i);
    }
    return rules.graph(std::move(graph_));
  }

 private:
  using Pair = std::pair<uint32_t, uint32_t>;

  uint32_t number(Pair pair) {
    const auto [place, is_new] = numbers_.try_emplace(pair, pairs_.size());
    if (is_new) {
      if (!pairs_.empty()) graph_.add_place();
      const bool ends_b = pair.second != kDead && b_.states[pair.second].accepting;
      if (a_.states[pair.first].accepting && ends_b != subtracts_) graph_.ends.push_back(place->second);
      pairs_.push_back(pair);
    }
    return place->second;
  }

  static std::array<uint32_t, 256> row(const Automaton& automaton, uint32_t state) {
    std::array<uint32_t, 256> row;
    row.fill(kDead);
    if (state == kDead) return row;
    for (const Automaton::ByteEdge& edge : automaton.states[state].bytes)
      std::fill(row.begin() + edge.first, row.begin() + edge.last + 1, edge.target);
    return row;
  }

  void add_edges(Rules& rules, uint32_t from) {
    const auto [a, b] = pairs_[from];
    const auto in_a = row(a_, a), in_b = row(b_, b);
    for (size_t byte = 0; byte < 256;) {
      const size_t first = byte;
      const Pair to{in_a[first], in_b[first]};
      while (byte < 256 && Pair{in_a[byte], in_b[byte]} == to) ++byte;
      if (to.first == kDead || (to.second == kDead && !subtracts_)) continue;
      const Expr label = rules.byte_range(static_cast<uint8_t>(first), static_cast<uint8_t>(byte - 1));
      graph_.add_edge(from, label, number(to));
    }
  }

  const Automaton &a_, &b_;
  const bool subtracts_;
  std::map<Pair, uint32_t> numbers_;
  std::vector<Pair> pairs_;
  Graph graph_;
};

Result<Expr> combine(Rules& rules, Expr a, Expr b, bool subtracts) {
  QUERN_CHECK(rules.check_size());
  WorkBudget& budget = rules.budget();
  budget.take(rules.size());
  Callees callees(rules);
  QUERN_TRY(const Nfa nfa_a, make_nfa(callees, a, true));
  QUERN_TRY(const Nfa nfa_b, make_nfa(callees, b, true));
  QUERN_TRY(const Automaton first, make_deterministic(nfa_a, rules.limits(), budget));
  QUERN_TRY(const Automaton second, make_deterministic(nfa_b, rules.limits(), budget));
  return Product(first, second, subtracts).run(rules);
}

// The first turn of a loop and those after it lead to the same: so do states before them then, a few times over.
void merge_alike(Automaton& automaton) {
  constexpr int kRounds = 4;
  for (int round = 0; round < kRounds; ++round) {
    std::map<Automaton::State, uint32_t> numbers;
    std::vector<uint32_t> number(automaton.states.size());
    std::vector<Automaton::State> kept{automaton.states[0]};  // nothing leads to it: it stays apart
    for (size_t i = 1; i < number.size(); ++i) {
      const auto [place, is_new] = numbers.try_emplace(automaton.states[i], kept.size());
      if (is_new) kept.push_back(automaton.states[i]);
      number[i] = place->second;
    }
    if (kept.size() == number.size()) return;
    for (Automaton::State& state : kept) {
      for (Automaton::ByteEdge& edge : state.bytes) edge.target = number[edge.target];
      for (Automaton::CallEdge& edge : state.calls) edge.target = number[edge.target];
    }
    automaton.states = std::move(kept);
  }
}

}  // namespace

Result<Automaton> make_deterministic(const Nfa& nfa, const Limits& limits, WorkBudget& budget) {
  QUERN_TRY(Automaton automaton, Determinizer(nfa, limits, budget).run());
  merge_alike(automaton);
  return automaton;
}

Result<Expr> intersect(Rules& rules, Expr a, Expr b) { return combine(rules, a, b, false); }
Result<Expr> subtract(Rules& rules, Expr a, Expr b) { return combine(rules, a, b, true); }

}  // namespace quern::grammar
