// All the ways to read a text so far, after every byte of it: Earley's sets (1970) over a compiled grammar, with calls
// instead of dotted rules. Calls of one rule at one place share a node, whatever called it, so that an ambiguous
// grammar costs a polynomial and not an exponential, and left recursion needs no care.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "grammar/grammar.h"

namespace quern::grammar {

// Bytes are pushed and popped. Copies are independent. Not thread-safe.
class ParseStack {
 public:
  // A state of a rule whose call is `node`. In Grammar::kEnd the outermost call has ended, and `node` says after how
  // many turns (1, unless open() began in a counted rule).
  struct Item {
    uint32_t state, node;
    bool operator==(const Item&) const = default;
  };
  // Where a call goes on when it has ended.
  struct Return {
    uint32_t state, count, parent;
    uint32_t next;  // of the same node, or kNone
  };
  static constexpr uint32_t kNone = Grammar::kNone;

  // At the beginning of a text.
  explicit ParseStack(const std::shared_ptr<const Grammar>& grammar);
  // In one state, with nothing known of what called its rule; a counted rule turns without end.
  static ParseStack open(std::shared_ptr<const Grammar> grammar, uint32_t state);

  const Grammar& grammar() const { return *grammar_; }
  // Bytes, and what push_returns() pushed.
  size_t depth() const { return places_.size() - 1; }
  // What may come next: states with edges of bytes, or Grammar::kEnd.
  std::span<const Item> items() const;
  bool can_end() const;
  bool push(uint8_t byte);
  // Goes on after the calls of `node`, were they to end here in their `turn`-th turn from now on (1 is the one that
  // runs). False, and nothing is pushed, where that cannot be.
  bool push_returns(uint32_t node, uint32_t turn);
  void pop_to(size_t depth);

  // Turns begun since open(), the fewest that lead to `item`.
  uint32_t turns(const Item& item) const;
  // Turns that may begin after the one of the node's calls that runs: the most of them.
  uint32_t turns_left(uint32_t node) const;
  // Bytes with which a text can go on.
  void next_bytes(std::span<bool, 256> bytes) const;
  // Equal only where all texts that may follow are equal, but for accidents of 1 in 2^64. Nothing where the calls are too
  // entangled to tell.
  std::optional<uint64_t> hash();

  // Steps taken so far, and whether a push failed for a limit of the grammar.
  uint64_t work() const { return work_; }
  bool exhausted() const { return exhausted_; }

 private:
  struct Node {
    uint32_t rule;
    uint32_t first_return;
    uint64_t hash = 0;  // 0: not known
  };
  struct Place {
    uint32_t items_begin, items_end;
    uint32_t nodes_end, returns_end;
  };

  ParseStack(std::shared_ptr<const Grammar> grammar, uint32_t rule, uint32_t state, bool closed);
  void end_place();
  void begin();
  void take(uint64_t steps);
  void add(Item item);
  bool push_plain(Item item, Item before);
  bool finish();
  void close();
  void call(const Grammar::Call& call, const Item& item);
  void complete(uint32_t node);
  uint32_t node_of(uint32_t rule);
  void add_return(uint32_t node, uint32_t state, uint32_t count, uint32_t parent);
  void hash_nodes(uint32_t begin, uint32_t end);
  template <class Visit>
  void for_each_return(uint32_t node, const Visit& visit) const {
    for (uint32_t r = nodes_[node].first_return; r != kNone; r = returns_[r].next) visit(returns_[r]);
  }

  std::shared_ptr<const Grammar> grammar_;
  std::vector<Place> places_;
  std::vector<Item> items_;
  std::vector<Node> nodes_;
  std::vector<Return> returns_;
  uint32_t first_item_ = 0, first_node_ = 0;  // of the place that is being made
  size_t hashed_nodes_ = 0, hashed_places_ = 0;
  uint64_t work_ = 0, work_limit_ = UINT64_MAX;  // the limit is of the place that is being made
  bool exhausted_ = false;
};

}  // namespace quern::grammar
