// Expressions as nondeterministic automata (Thompson's construction), and which parts become automata of their own.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "grammar/rules.h"

namespace quern::grammar {

// Something an automaton calls: a rule, or the body of a repetition with many turns, which are counted on the stack
// where copies of the body would fill the automaton.
struct Callee {
  Expr body;
  uint32_t least = 1, most = 1;  // turns in a row
};
using CalleeId = uint32_t;

// Gives numbers to what is called, and decides which rules stand in the automaton of their caller: those that occur
// once or are tiny, and do not come back to themselves.
class Callees {
 public:
  explicit Callees(const Rules& rules);

  const Rules& rules() const { return rules_; }
  const std::vector<Callee>& all() const { return callees_; }
  CalleeId of_rule(RuleId rule);
  CalleeId of_repeat(const Rules::Node& repeat);
  bool is_inlined(RuleId rule) const { return inlined_[rule]; }
  // No rule that it calls leads back to it.
  bool is_finite(RuleId rule) const { return finite_[rule]; }
  // Whether its turns are counted.
  bool is_counted(const Rules::Node& repeat) const;

 private:
  struct Found;
  void find_calls(Expr expr, bool repeated, Found& found) const;
  void measure();
  void resolve();

  const Rules& rules_;
  std::vector<Callee> callees_;
  std::map<std::tuple<Expr, uint32_t, uint32_t>, CalleeId> ids_;
  std::vector<uint32_t> sizes_;  // of expressions, about, in states
  std::vector<bool> finite_, inlined_;
};

struct Nfa {
  enum class Kind : uint8_t { empty, bytes, call };
  struct Edge {
    Kind kind;
    uint8_t first, last;
    CalleeId callee;
    uint32_t target;
    uint32_t next;  // of the same state, or kNone
  };
  static constexpr uint32_t kNone = UINT32_MAX;

  std::vector<uint32_t> first_edge;  // of each state
  std::vector<Edge> edges;
  uint32_t start = 0, end = 1;
};

// invalid_argument past Limits::states. With `regular`, nothing is called and every repetition is copied out;
// invalid_argument then for rules that come back to themselves.
Result<Nfa> make_nfa(Callees& callees, Expr body, bool regular = false);

}  // namespace quern::grammar
