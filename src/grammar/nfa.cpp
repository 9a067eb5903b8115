#include "grammar/nfa.h"

#include <fmt/format.h>

#include <algorithm>

namespace quern::grammar {

namespace {

constexpr uint32_t kTiny = 8;           // states of a rule that every caller gets a copy of
constexpr uint32_t kSmall = 160;        // the same for rules without loops
constexpr uint32_t kCopied = 32;        // states of a repetition that is copied out
constexpr uint32_t kInlineDepth = 500;  // levels of expressions that recursion goes through
constexpr uint32_t kManyStates = 1u << 30;

uint32_t sum(uint64_t a, uint64_t b) { return static_cast<uint32_t>(std::min<uint64_t>(a + b, kManyStates)); }

// Copies of the body that a repetition takes where its turns are not counted.
uint32_t copies_of(const Rules::Node& repeat) {
  return repeat.b == kUnbounded ? std::max(repeat.a, 1u) : repeat.b;
}

}  // namespace

Callees::Callees(const Rules& rules) : rules_(rules) {
  measure();
  resolve();
}

CalleeId Callees::of_rule(RuleId rule) {
  const auto [place, is_new] = ids_.try_emplace({rules_.rules()[rule].body, 1, 1}, callees_.size());
  if (is_new) callees_.push_back({rules_.rules()[rule].body});
  return place->second;
}

CalleeId Callees::of_repeat(const Rules::Node& repeat) {
  const auto [place, is_new] = ids_.try_emplace({repeat.part, repeat.a, repeat.b}, callees_.size());
  if (is_new) callees_.push_back({repeat.part, repeat.a, repeat.b});
  return place->second;
}

bool Callees::is_counted(const Rules::Node& repeat) const {
  const uint32_t copies = copies_of(repeat);
  return copies > 1 && uint64_t{copies} * std::max(sizes_[repeat.part], 1u) > kCopied;
}

// Parts are numbered before what they are parts of.
void Callees::measure() {
  sizes_.resize(rules_.size());
  for (Expr expr = 0; expr < rules_.size(); ++expr) {
    const Rules::Node& node = rules_.node(expr);
    uint32_t size = 1;
    switch (node.kind) {
      case Rules::Kind::empty:
      case Rules::Kind::bytes:
      case Rules::Kind::call:
        break;
      case Rules::Kind::literal:
        size = node.b;
        break;
      case Rules::Kind::sequence:
      case Rules::Kind::choice:
        for (const Expr part : rules_.parts(node)) size = sum(size, sizes_[part]);
        break;
      case Rules::Kind::repeat:
        if (!is_counted(node)) size = sum(0, uint64_t{copies_of(node)} * sizes_[node.part]);
        break;
      case Rules::Kind::graph:
        size = rules_.graph_of(node).places;
        for (const Graph::Edge& edge : rules_.graph_of(node).edges) size = sum(size, sizes_[edge.label]);
        break;
    }
    sizes_[expr] = size;
  }
}

struct Callees::Found {
  std::vector<RuleId> calls;
  bool loops;
  std::vector<uint32_t>& uses;  // of each rule; a repeated one counts as many
};

void Callees::find_calls(Expr expr, bool repeated, Found& found) const {
  const Rules::Node& node = rules_.node(expr);
  switch (node.kind) {
    case Rules::Kind::call:
      found.calls.push_back(node.a);
      found.uses[node.a] += repeated ? 2 : 1;
      break;
    case Rules::Kind::sequence:
    case Rules::Kind::choice:
      for (const Expr part : rules_.parts(node)) find_calls(part, repeated, found);
      break;
    case Rules::Kind::repeat:
      found.loops = found.loops || node.b == kUnbounded || is_counted(node);
      find_calls(node.part, repeated || copies_of(node) > 1, found);
      break;
    case Rules::Kind::graph:
      for (const Graph::Edge& edge : rules_.graph_of(node).edges) find_calls(edge.label, repeated, found);
      break;
    default:
      break;
  }
}

// Takes rules whose calls are all resolved, one after another; those of a cycle, or above one, are never.
void Callees::resolve() {
  const size_t count = rules_.rules().size();
  finite_.assign(count, false);
  inlined_.assign(count, false);
  std::vector<uint32_t> uses(count), waiting(count), depths(count), full_sizes(count);
  std::vector<std::vector<RuleId>> calls(count), callers(count);
  std::vector<bool> loops(count);
  std::vector<RuleId> ready;
  for (RuleId rule = 0; rule < count; ++rule) {
    Found found{{}, false, uses};
    if (rules_.rules()[rule].defined) find_calls(rules_.rules()[rule].body, false, found);
    calls[rule] = std::move(found.calls);
    loops[rule] = found.loops;
    waiting[rule] = static_cast<uint32_t>(calls[rule].size());
    for (const RuleId callee : calls[rule]) callers[callee].push_back(rule);
    if (calls[rule].empty() && rules_.rules()[rule].defined) ready.push_back(rule);
  }
  while (!ready.empty()) {
    const RuleId rule = ready.back();
    ready.pop_back();
    finite_[rule] = true;
    const Expr body = rules_.rules()[rule].body;
    uint32_t below = 0;
    full_sizes[rule] = sizes_[body];
    for (const RuleId callee : calls[rule]) {
      if (!inlined_[callee]) continue;
      below = std::max(below, depths[callee]);
      full_sizes[rule] = sum(full_sizes[rule], full_sizes[callee]);
    }
    depths[rule] = rules_.node(body).depth + below;
    // Texts linger in loops: the masks there are large, and rules of their own share them.
    const uint32_t most = loops[rule] ? kTiny : uses[rule] == 1 ? kManyStates : kSmall;
    inlined_[rule] = depths[rule] <= kInlineDepth && full_sizes[rule] <= most;
    for (const RuleId caller : callers[rule]) {
      if (--waiting[caller] == 0) ready.push_back(caller);
    }
  }
}

namespace {

class Builder {
 public:
  Builder(Callees& callees, bool regular)
      : callees_(callees), rules_(callees.rules()), regular_(regular), limit_(rules_.limits().states) {}

  Result<Nfa> run(Expr body) {
    nfa_.start = add_state();
    nfa_.end = add_state();
    build(body, nfa_.start, nfa_.end);
    if (recursive_) {
      return make_error(ErrorCode::invalid_argument,
                        "a rule that comes back to itself cannot be combined with another one");
    }
    if (full()) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("the grammar is too large: it needs more than {} states", limit_));
    }
    return std::move(nfa_);
  }

 private:
  bool full() const { return nfa_.first_edge.size() > limit_ || nfa_.edges.size() > size_t{4} * limit_; }

  uint32_t add_state() {
    nfa_.first_edge.push_back(Nfa::kNone);
    return static_cast<uint32_t>(nfa_.first_edge.size() - 1);
  }
  void add_edge(uint32_t from, Nfa::Edge edge) {
    edge.next = nfa_.first_edge[from];
    nfa_.first_edge[from] = static_cast<uint32_t>(nfa_.edges.size());
    nfa_.edges.push_back(edge);
  }
  void add_empty(uint32_t from, uint32_t to) { add_edge(from, {Nfa::Kind::empty, 0, 0, 0, to, 0}); }
  void add_bytes(uint32_t from, uint8_t first, uint8_t last, uint32_t to) {
    add_edge(from, {Nfa::Kind::bytes, first, last, 0, to, 0});
  }
  void add_call(uint32_t from, CalleeId callee, uint32_t to) {
    add_edge(from, {Nfa::Kind::call, 0, 0, callee, to, 0});
  }

  // Adds the paths of `expr` between two states. It never adds an edge into `from` or out of `to`, unless they are one.
  void build(Expr expr, uint32_t from, uint32_t to) {
    if (full()) return;
    const Rules::Node& node = rules_.node(expr);
    switch (node.kind) {
      case Rules::Kind::empty:
        return add_empty(from, to);
      case Rules::Kind::bytes:
        return add_bytes(from, static_cast<uint8_t>(node.a), static_cast<uint8_t>(node.b), to);
      case Rules::Kind::literal:
        return build_literal(rules_.text(node), from, to);
      case Rules::Kind::sequence:
        return build_sequence(rules_.parts(node), from, to);
      case Rules::Kind::choice:
        for (const Expr part : rules_.parts(node)) build(part, from, to);
        return;
      case Rules::Kind::repeat:
        return build_repeat(node, from, to);
      case Rules::Kind::call:
        return build_call(node.a, from, to);
      case Rules::Kind::graph:
        return build_graph(rules_.graph_of(node), from, to);
    }
  }

  void build_literal(std::string_view text, uint32_t from, uint32_t to) {
    if (text.empty()) return add_empty(from, to);
    for (size_t i = 0; i < text.size(); ++i) {
      const uint32_t next = i + 1 < text.size() ? add_state() : to;
      add_bytes(from, static_cast<uint8_t>(text[i]), static_cast<uint8_t>(text[i]), next);
      from = next;
    }
  }

  void build_sequence(std::span<const Expr> parts, uint32_t from, uint32_t to) {
    if (parts.empty()) return add_empty(from, to);
    for (size_t i = 0; i < parts.size() && !full(); ++i) {
      const uint32_t next = i + 1 < parts.size() ? add_state() : to;
      build(parts[i], from, next);
      from = next;
    }
  }

  void build_repeat(const Rules::Node& node, uint32_t from, uint32_t to) {
    const uint32_t least = node.a, most = node.b;
    if (!regular_ && callees_.is_counted(node)) {
      if (least == 0) add_empty(from, to);
      return add_call(from, callees_.of_repeat(node), to);
    }
    const bool loops = most == kUnbounded;
    const uint32_t copies = copies_of(node), required = loops ? copies - 1 : least;
    if (loops && least == 0) add_empty(from, to);
    for (uint32_t turn = 0; turn + (loops ? 1 : 0) < copies && !full(); ++turn) {
      if (turn >= required) add_empty(from, to);
      const uint32_t next = !loops && turn + 1 == copies ? to : add_state();
      build(node.part, from, next);
      from = next;
    }
    if (loops) build_loop(node.part, from, to);
  }

  // One turn or more, with one copy of the part.
  void build_loop(Expr part, uint32_t from, uint32_t to) {
    const uint32_t begin = add_state(), end = add_state();
    add_empty(from, begin);
    build(part, begin, end);
    add_empty(end, begin);
    add_empty(end, to);
  }

  void build_call(RuleId rule, uint32_t from, uint32_t to) {
    recursive_ = recursive_ || (regular_ && !callees_.is_finite(rule));
    if (recursive_) return;
    if (!regular_ && !callees_.is_inlined(rule)) return add_call(from, callees_.of_rule(rule), to);
    build(rules_.rules()[rule].body, from, to);
  }

  void build_graph(const Graph& graph, uint32_t from, uint32_t to) {
    std::vector<uint32_t> states(graph.places);
    for (uint32_t& state : states) state = add_state();
    add_empty(from, states[0]);
    for (const Graph::Edge& edge : graph.edges) build(edge.label, states[edge.from], states[edge.to]);
    for (const uint32_t end : graph.ends) add_empty(states[end], to);
  }

  Callees& callees_;
  const Rules& rules_;
  const bool regular_;
  const size_t limit_;
  bool recursive_ = false;
  Nfa nfa_;
};

}  // namespace

Result<Nfa> make_nfa(Callees& callees, Expr body, bool regular) {
  return Builder(callees, regular).run(body);
}

}  // namespace quern::grammar
