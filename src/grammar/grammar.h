// A compiled grammar: one table of states for all its rules, which a matcher walks with a stack of calls.
#pragma once

#include <bitset>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "grammar/automaton.h"
#include "grammar/rules.h"

namespace quern::grammar {

// Immutable after compile(), so threads share it.
class Grammar {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  // The state after the end of the whole text.
  static constexpr uint32_t kEnd = 0;

  struct Rule {
    uint32_t start = kNone;
    uint32_t least = 1, most = 1;              // turns of a counted repetition
    bool nullable = false;                     // matches the empty text; `start` then matches the others
    uint32_t first_state = 0, last_state = 0;  // its own: [first, last)
    std::bitset<256> followers = {};           // the bytes that may come behind it, or more of them
    bool counted() const { return most != 1; }
  };
  struct Call {
    uint32_t rule;
    uint32_t target;
  };
  struct State {
    uint32_t bytes_begin = 0, bytes_end = 0;
    uint32_t calls_begin = 0, calls_end = 0;
    uint32_t row = kNone;  // in the table of states with many edges
    uint32_t rule = 0;
    bool accepting = false;
    bool is_plain() const { return !accepting && calls_begin == calls_end; }
    // Nothing but the end of the rule can follow.
    bool is_last() const { return accepting && bytes_begin == bytes_end && calls_begin == calls_end; }
  };

  // Rules that end in no text are left out. invalid_argument when no text matches at all, for rules that are not
  // defined, and past a limit.
  static Result<std::shared_ptr<const Grammar>> compile(Rules rules, RuleId root);

  const Limits& limits() const { return limits_; }
  const Rule& rule(uint32_t id) const { return rules_[id]; }
  size_t rule_count() const { return rules_.size(); }
  uint32_t root() const { return 0; }
  const State& state(uint32_t id) const { return states_[id]; }
  size_t state_count() const { return states_.size(); }
  std::span<const Call> calls(const State& state) const {
    return std::span(calls_).subspan(state.calls_begin, state.calls_end - state.calls_begin);
  }
  std::span<const Automaton::ByteEdge> bytes(const State& state) const {
    return std::span(bytes_).subspan(state.bytes_begin, state.bytes_end - state.bytes_begin);
  }
  // The state after `byte`, or kNone.
  uint32_t next(uint32_t id, uint8_t byte) const {
    const State& state = states_[id];
    if (state.row != kNone) return rows_[size_t{state.row} * 256 + byte];
    for (uint32_t e = state.bytes_begin; e < state.bytes_end; ++e) {
      if (byte <= bytes_[e].last) return byte >= bytes_[e].first ? bytes_[e].target : kNone;
    }
    return kNone;
  }
  // Memory it takes.
  size_t size_bytes() const;

 private:
  friend class GrammarCompiler;
  Grammar() = default;

  Limits limits_;
  std::vector<Rule> rules_;
  std::vector<State> states_;
  std::vector<Automaton::ByteEdge> bytes_;
  std::vector<Call> calls_;
  std::vector<uint32_t> rows_;
};

}  // namespace quern::grammar
