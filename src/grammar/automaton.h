// Deterministic automata over bytes and calls.
#pragma once

#include <tuple>
#include <vector>

#include "grammar/nfa.h"

namespace quern::grammar {

// For each byte one way at most to go on; calls are ways to go on beside it. State 0 is where it starts, which no edge
// leads to. Edges of a state are in order of bytes.
struct Automaton {
  struct ByteEdge {
    uint8_t first, last;
    uint32_t target;
    bool operator<(const ByteEdge& other) const {
      return std::tie(first, last, target) < std::tie(other.first, other.last, other.target);
    }
  };
  struct CallEdge {
    CalleeId callee;
    uint32_t target;
    bool operator<(const CallEdge& other) const {
      return std::tie(callee, target) < std::tie(other.callee, other.target);
    }
  };
  struct State {
    std::vector<ByteEdge> bytes;
    std::vector<CallEdge> calls;
    bool accepting = false;
    bool operator<(const State& other) const {
      return std::tie(accepting, bytes, calls) < std::tie(other.accepting, other.bytes, other.calls);
    }
  };
  std::vector<State> states;
};

// By the subset construction; states that agree in all are one, though not the fewest there may be. invalid_argument past Limits::states and past the budget.
Result<Automaton> make_deterministic(const Nfa& nfa, const Limits& limits, WorkBudget& budget);

// The texts of both, and those of `a` that are not among those of `b`, as expressions of the same rules. Errors as
// make_nfa's for regular expressions, and make_deterministic's.
Result<Expr> intersect(Rules& rules, Expr a, Expr b);
Result<Expr> subtract(Rules& rules, Expr a, Expr b);

}  // namespace quern::grammar
