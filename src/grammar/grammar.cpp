#include "grammar/grammar.h"

#include <fmt/format.h>

#include <algorithm>

namespace quern::grammar {

namespace {
// States with more edges than this get a row of 256 targets, while there are rows.
constexpr size_t kFewEdges = 4;
constexpr size_t kMostRows = 8192;
}  // namespace

class GrammarCompiler {
 public:
  explicit GrammarCompiler(Rules& rules) : rules_(rules), callees_(rules) {}

  Result<std::shared_ptr<const Grammar>> run(RuleId root) {
    QUERN_CHECK(make_automata(root));
    find_reverse_edges();
    const std::vector<bool> empties = saturate(false), ends = saturate(true);
    if (!nullable_[0] && !productive_[0]) {
      return make_error(ErrorCode::invalid_argument, "the grammar matches no text",
                        "a rule that always leads back to itself never ends");
    }
    number_states(ends);
    for (const size_t state : kept_) {
      Grammar::Rule& rule = grammar_->rules_[places_[state].callee];
      if (rule.last_state == 0) rule.first_state = static_cast<uint32_t>(grammar_->states_.size());
      add_state(state, ends);
      rule.last_state = static_cast<uint32_t>(grammar_->states_.size());
    }
    find_followers();
    grammar_->limits_ = rules_.limits();
    return std::shared_ptr<const Grammar>(std::move(grammar_));
  }

 private:
  // All states of all automata in one row of numbers: those of callee c from first_[c] on.
  struct Place {
    CalleeId callee;
    uint32_t state;
  };
  const Automaton::State& at(size_t state) const {
    return automata_[places_[state].callee].states[places_[state].state];
  }

  Result<void> make_automata(RuleId root) {
    callees_.of_rule(root);
    for (CalleeId id = 0; id < callees_.all().size(); ++id) {
      QUERN_TRY(const Nfa nfa, make_nfa(callees_, callees_.all()[id].body));
      QUERN_TRY(Automaton automaton, make_deterministic(nfa, rules_.limits(), rules_.budget()));
      first_.push_back(places_.size());
      for (uint32_t s = 0; s < automaton.states.size(); ++s) places_.push_back({id, s});
      automata_.push_back(std::move(automaton));
      if (places_.size() > rules_.limits().states) {
        return make_error(
            ErrorCode::invalid_argument,
            fmt::format("the grammar is too large: it needs more than {} states", rules_.limits().states));
      }
    }
    return {};
  }

  // By target, and calls also by callee.
  struct Reverse {
    size_t source;
    CalleeId callee = Grammar::kNone;
  };
  void find_reverse_edges() {
    into_.resize(places_.size());
    callers_.resize(automata_.size());
    for (size_t state = 0; state < places_.size(); ++state) {
      const size_t first = first_[places_[state].callee];
      for (const auto& edge : at(state).bytes) into_[first + edge.target].push_back({state});
      for (const auto& call : at(state).calls) {
        into_[first + call.target].push_back({state, call.callee});
        callers_[call.callee].push_back({state, call.target});
      }
    }
  }

  // States from which the end of the automaton is reached: by any text, or by the empty one alone. Leaves what that
  // means for whole automata in productive_ or nullable_.
  std::vector<bool> saturate(bool with_bytes) {
    std::vector<bool> reached(places_.size());
    std::vector<bool>& whole = with_bytes ? productive_ : nullable_;
    whole = with_bytes ? nullable_ : std::vector<bool>(automata_.size());
    std::vector<size_t> waiting;
    const auto mark = [&](size_t state) {
      if (!reached[state]) waiting.push_back(state);
      reached[state] = true;
    };
    for (size_t state = 0; state < places_.size(); ++state) {
      if (at(state).accepting) mark(state);
    }
    while (!waiting.empty()) {
      const size_t state = waiting.back();
      waiting.pop_back();
      for (const Reverse& edge : into_[state]) {
        if (edge.callee == Grammar::kNone ? with_bytes : static_cast<bool>(whole[edge.callee]))
          mark(edge.source);
      }
      const auto [callee, own] = places_[state];
      if (own != 0 || whole[callee]) continue;
      whole[callee] = true;
      for (const Caller& caller : callers_[callee]) {
        if (reached[first_[places_[caller.source].callee] + caller.target]) mark(caller.source);
      }
    }
    return reached;
  }

  void number_states(const std::vector<bool>& ends) {
    numbers_.assign(places_.size(), Grammar::kNone);
    for (size_t state = 0; state < places_.size(); ++state) {
      if (!ends[state]) continue;
      kept_.push_back(state);
      numbers_[state] = static_cast<uint32_t>(kept_.size());  // 0 is kEnd
    }
    grammar_->states_.emplace_back();
    for (CalleeId id = 0; id < automata_.size(); ++id) {
      const Callee& callee = callees_.all()[id];
      // An empty turn fills in for any that miss.
      grammar_->rules_.push_back(
          {numbers_[first_[id]], nullable_[id] ? 1 : callee.least, callee.most, nullable_[id]});
    }
  }

  void add_state(size_t state, const std::vector<bool>& ends) {
    const Automaton::State& from = at(state);
    const auto [callee, own] = places_[state];
    Grammar& g = *grammar_;
    Grammar::State to;
    to.rule = callee;
    to.accepting = from.accepting && own != 0;  // the empty text is known as `nullable`
    to.bytes_begin = static_cast<uint32_t>(g.bytes_.size());
    for (const auto& edge : from.bytes) {
      if (const size_t target = first_[callee] + edge.target; ends[target])
        g.bytes_.push_back({edge.first, edge.last, numbers_[target]});
    }
    to.bytes_end = static_cast<uint32_t>(g.bytes_.size());
    to.calls_begin = static_cast<uint32_t>(g.calls_.size());
    for (const auto& call : from.calls) {
      const size_t target = first_[callee] + call.target;
      if (ends[target] && g.rules_[call.callee].start != Grammar::kNone)
        g.calls_.push_back({call.callee, numbers_[target]});
    }
    to.calls_end = static_cast<uint32_t>(g.calls_.size());
    if (to.bytes_end - to.bytes_begin > kFewEdges && g.rows_.size() < kMostRows * 256) {
      to.row = static_cast<uint32_t>(g.rows_.size() / 256);
      g.rows_.resize(g.rows_.size() + 256, Grammar::kNone);
      for (const auto& edge : g.bytes(to)) {
        std::fill(g.rows_.end() - 256 + edge.first, g.rows_.end() - 256 + edge.last + 1, edge.target);
      }
    }
    g.states_.push_back(to);
  }

  // What may come next in a state, inside of its rule or behind it, and so behind the rules it calls. Grows until it is
  // right; where that takes long, anything may follow.
  void find_followers() {
    constexpr int kMostRounds = 16;
    Grammar& g = *grammar_;
    std::vector<std::bitset<256>> next(g.states_.size());
    bool grew = true;
    for (int round = 0; grew && round < kMostRounds; ++round) {
      grew = false;
      for (size_t id = g.states_.size(); id-- > 1;) {
        const Grammar::State& state = g.states_[id];
        std::bitset<256> bytes = next[id];
        for (const auto& edge : g.bytes(state)) {
          for (size_t byte = edge.first; byte <= edge.last; ++byte) bytes.set(byte);
        }
        for (const Grammar::Call& call : g.calls(state)) {
          bytes |= next[g.rules_[call.rule].start];
          if (g.rules_[call.rule].nullable) bytes |= next[call.target];
          std::bitset<256>& behind = g.rules_[call.rule].followers;
          grew = grew || (next[call.target] & ~behind).any();
          behind |= next[call.target];
        }
        if (state.accepting) {
          const Grammar::Rule& rule = g.rules_[state.rule];
          bytes |= rule.followers;
          if (rule.counted()) bytes |= next[rule.start];
        }
        grew = grew || bytes != next[id];
        next[id] = bytes;
      }
    }
    if (!grew) return;
    for (Grammar::Rule& rule : g.rules_) rule.followers.set();
  }

  struct Caller {
    size_t source;
    uint32_t target;
  };

  Rules& rules_;
  Callees callees_;
  std::vector<Automaton> automata_;
  std::vector<size_t> first_;
  std::vector<Place> places_;
  std::vector<std::vector<Reverse>> into_;
  std::vector<std::vector<Caller>> callers_;
  std::vector<bool> nullable_, productive_;
  std::vector<size_t> kept_;
  std::vector<uint32_t> numbers_;
  std::shared_ptr<Grammar> grammar_{new Grammar};
};

Result<std::shared_ptr<const Grammar>> Grammar::compile(Rules rules, RuleId root) {
  QUERN_CHECK(rules.check());
  return GrammarCompiler(rules).run(root);
}

size_t Grammar::size_bytes() const {
  return rules_.size() * sizeof(Rule) + states_.size() * sizeof(State) + calls_.size() * sizeof(Call) +
         bytes_.size() * sizeof(bytes_[0]) + rows_.size() * sizeof(rows_[0]);
}

}  // namespace quern::grammar
