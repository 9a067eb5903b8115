#include "grammar/token_masks.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

namespace quern::grammar {

namespace {

Error too_ambiguous() {
  return make_error(ErrorCode::invalid_argument, "the grammar has too many ways to read this text",
                    "make its alternatives begin differently");
}

}  // namespace

// One walk over a part of the trie, along the bytes that a stack takes.
class TokenMasks::Walk {
 public:
  Walk(const Vocabulary& vocabulary, ParseStack& stack)
      : nodes_(vocabulary.nodes()),
        stack_(stack),
        limit_(stack.work() + stack.grammar().limits().mask_work) {}

  // Calls visit(node) for each node of [begin, end) that the stack takes, which stands behind it then.
  template <class Visit>
  bool over(uint32_t begin, uint32_t end, const Visit& visit) {
    if (begin == end) return true;
    const size_t below = stack_.depth(), level = nodes_[begin].depth;
    for (uint32_t i = begin; i < end;) {
      const Vocabulary::Node& node = nodes_[i];
      stack_.pop_to(below + node.depth - level);
      if (stack_.push(node.byte)) {
        visit(i);
        ++i;
      } else {
        i = node.end;
      }
      if (stack_.work() > limit_ || stack_.exhausted()) break;
    }
    stack_.pop_to(below);
    return stack_.work() <= limit_ && !stack_.exhausted();
  }

 private:
  std::span<const Vocabulary::Node> nodes_;
  ParseStack& stack_;
  uint64_t limit_;
};

TokenMasks::TokenMasks(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const Vocabulary> vocabulary,
                       std::shared_ptr<SharedMasks> shared)
    : grammar_(std::move(grammar)), vocabulary_(std::move(vocabulary)), shared_(std::move(shared)) {
  keys_ = shared_ ? shared_->keys_of(*grammar_) : std::vector(grammar_->rule_count(), SharedMasks::kNone);
}

// Finds the mask of one state. Most bytes of most texts lead from one state of a rule to one other: tables tell where to, and a
// stack is asked only where more than one way is open.
class TokenMasks::Maker {
 public:
  Maker(const std::shared_ptr<const Grammar>& grammar, const Vocabulary& vocabulary, uint32_t state)
      : grammar_(*grammar),
        vocabulary_(vocabulary),
        nodes_(vocabulary.nodes()),
        rule_(grammar_.rule(grammar_.state(state).rule)),
        turns_are_simple_(grammar_.calls(grammar_.state(rule_.start)).empty()),
        stack_(ParseStack::open(grammar, state)),
        walk_(vocabulary, stack_),
        ways_{{state, 1, 0}} {}

  // Nothing where the grammar is too ambiguous.
  std::optional<StateMask> run() {
    for (uint32_t i = 0; i < nodes_.size();) {
      const Vocabulary::Node& node = nodes_[i];
      const Way from = ways_[node.depth - 1u];
      const uint32_t next = grammar_.next(from.state, node.byte);
      if (next == Grammar::kNone) {
        i = node.end;
        continue;
      }
      const Grammar::State& state = grammar_.state(next);
      const bool turns = state.accepting && rule_.counted();
      if (!grammar_.calls(state).empty() || (turns && !(state.is_last() && turns_are_simple_))) {
        if (!walk_stack(i)) return std::nullopt;
        i = node.end;
        continue;
      }
      add_tokens(node, from.turn);
      if (state.accepting) add_exits(i, from.turn);
      if (ways_.size() <= node.depth) ways_.resize(node.depth + size_t{1});
      ways_[node.depth] =
          turns ? Way{rule_.start, from.turn + 1, node.byte} : Way{next, from.turn, node.byte};
      ++i;
    }
    return finish();
  }

 private:
  // The one way to read the bytes up to a depth of the trie, and the last of them.
  struct Way {
    uint32_t state, turn;
    uint8_t byte;
  };

  void add_tokens(const Vocabulary::Node& node, uint32_t turn) {
    if (node.token == Vocabulary::kNoToken) return;
    if (layer_ == nullptr || turn != layer_turn_) {
      layer_ = &layers_[turn];
      layer_turn_ = turn;
    }
    vocabulary_.for_each_token(node, [&](TokenId id) { layer_->push_back(id); });
  }
  // Where the rule may have ended: only bytes that may come behind it lead on.
  void add_exits(uint32_t i, uint32_t turn) {
    for (uint32_t child = i + 1; child < nodes_[i].end; child = nodes_[child].end) {
      if (rule_.followers.test(nodes_[child].byte)) mask_.exits.push_back({turn, nodes_[child].byte, child});
    }
  }

  // Reads the subtree of node i, whose parent is reached in one way.
  bool walk_stack(uint32_t i) {
    stack_.pop_to(0);
    for (size_t depth = 1; depth < nodes_[i].depth; ++depth) stack_.push(ways_[depth].byte);
    return walk_.over(i, nodes_[i].end, [&](uint32_t reached) {
      const Vocabulary::Node& node = nodes_[reached];
      uint32_t turn = rule_.counted() ? UINT32_MAX : 1;
      for (const ParseStack::Item& item : stack_.items()) {
        if (rule_.counted() && node.token != Vocabulary::kNoToken) turn = std::min(turn, stack_.turns(item));
        if (item.state == Grammar::kEnd) add_exits(reached, item.node);
      }
      add_tokens(node, turn);
    });
  }

  StateMask finish() {
    for (auto& [turn, tokens] : layers_)
      mask_.layers.push_back({turn, TokenSet(std::move(tokens), vocabulary_.mask_words())});
    std::ranges::sort(mask_.exits, {}, &StateMask::Exit::order);
    for (size_t i = 0; i < mask_.exits.size(); ++i) {
      const bool begins = i == 0 || mask_.exits[i].turn != mask_.exits[i - 1].turn ||
                          mask_.exits[i].byte != mask_.exits[i - 1].byte;
      if (begins) mask_.groups.push_back(i);
    }
    mask_.groups.push_back(mask_.exits.size());
    return std::move(mask_);
  }

  const Grammar& grammar_;
  const Vocabulary& vocabulary_;
  const std::span<const Vocabulary::Node> nodes_;
  const Grammar::Rule& rule_;
  const bool turns_are_simple_;  // a turn of a counted rule begins in one way
  ParseStack stack_;
  Walk walk_;
  std::vector<Way> ways_;  // by depth
  std::map<uint32_t, std::vector<TokenId>> layers_;
  std::vector<TokenId>* layer_ = nullptr;  // of layer_turn_
  uint32_t layer_turn_ = 0;
  StateMask mask_;
};

Result<std::shared_ptr<const StateMask>> TokenMasks::make_mask(uint32_t state) const {
  std::optional<StateMask> mask = Maker(grammar_, *vocabulary_, state).run();
  if (!mask) return too_ambiguous();
  return std::make_shared<const StateMask>(*std::move(mask));
}

// Forgets everything when the budget is spent. Precondition: mutex_ is held.
void TokenMasks::make_room(size_t bytes) {
  if (cached_bytes_ + bytes > grammar_->limits().cache_bytes) {
    states_.clear();
    whole_.clear();
    cached_bytes_ = 0;
  }
  cached_bytes_ += bytes;
}

size_t TokenMasks::cached_bytes() const {
  const std::lock_guard lock(mutex_);
  return cached_bytes_;
}

Result<std::shared_ptr<const StateMask>> TokenMasks::mask_of(uint32_t state) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = states_.find(state); found != states_.end()) return found->second;
  }
  const uint32_t rule = grammar_->state(state).rule, own = state - grammar_->rule(rule).first_state;
  const SharedMasks::RuleKey key = keys_[rule];
  std::shared_ptr<const StateMask> mask = key == SharedMasks::kNone ? nullptr : shared_->find(key, own);
  if (!mask) {
    QUERN_TRY(mask, make_mask(state));
    if (key != SharedMasks::kNone) shared_->keep(key, own, mask);
  }
  const std::lock_guard lock(mutex_);
  make_room(mask->size_bytes());
  states_.try_emplace(state, mask);
  return mask;
}

Result<void> TokenMasks::fill(ParseStack& stack, std::span<uint64_t> bits) {
  std::ranges::fill(bits, 0);
  const std::optional<uint64_t> hash = stack.hash();
  if (hash) {
    std::unique_lock lock(mutex_);
    if (const auto found = whole_.find(*hash); found != whole_.end()) {
      const std::shared_ptr<const TokenSet> known = found->second;
      lock.unlock();
      known->add_to(bits);
      return {};
    }
  }
  QUERN_CHECK(compute(stack, bits));
  if (!hash) return {};
  auto set = std::make_shared<const TokenSet>(std::span<const uint64_t>(bits));
  const std::lock_guard lock(mutex_);
  make_room(sizeof(*set) + set->size_bytes());
  whole_.try_emplace(*hash, std::move(set));
  return {};
}

Result<void> TokenMasks::compute(ParseStack& stack, std::span<uint64_t> bits) {
  if (stack.can_end()) {
    for (const TokenId id : vocabulary_->end_tokens()) {
      if (id >= 0 && static_cast<size_t>(id) < vocabulary_->size()) set_bit(bits, id);
    }
  }
  const std::vector<ParseStack::Item> items(stack.items().begin(), stack.items().end());
  for (const ParseStack::Item& item : items) {
    if (item.state == Grammar::kEnd || grammar_->bytes(grammar_->state(item.state)).empty()) continue;
    QUERN_TRY(const std::shared_ptr<const StateMask> mask, mask_of(item.state));
    const uint32_t left = stack.turns_left(item.node);
    for (const StateMask::Layer& layer : mask->layers) {
      if (layer.turn - 1 <= left) layer.tokens.add_to(bits);
    }
    QUERN_CHECK(add_exits(stack, item.node, *mask, bits));
  }
  return {};
}

// Reads on, where tokens leave the rule, on the stack below it.
Result<void> TokenMasks::add_exits(ParseStack& stack, uint32_t node, const StateMask& mask,
                                   std::span<uint64_t> bits) const {
  const std::span<const Vocabulary::Node> nodes = vocabulary_->nodes();
  const size_t depth = stack.depth();
  Walk walk(*vocabulary_, stack);
  for (size_t g = 0; g + 1 < mask.groups.size();) {
    const uint32_t turn = mask.exits[mask.groups[g]].turn;
    std::array<bool, 256> possible{};
    if (stack.push_returns(node, turn)) stack.next_bytes(possible);
    for (; g + 1 < mask.groups.size() && mask.exits[mask.groups[g]].turn == turn; ++g) {
      if (!possible[mask.exits[mask.groups[g]].byte]) continue;
      for (size_t i = mask.groups[g]; i < mask.groups[g + 1]; ++i) {
        const uint32_t begin = mask.exits[i].node;
        const bool done = walk.over(begin, nodes[begin].end, [&](uint32_t reached) {
          vocabulary_->for_each_token(nodes[reached], [&](TokenId id) { set_bit(bits, id); });
        });
        if (!done) return too_ambiguous();
      }
    }
    stack.pop_to(depth);
    if (stack.exhausted()) return too_ambiguous();
  }
  return {};
}

}  // namespace quern::grammar
