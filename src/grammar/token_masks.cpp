#include "grammar/token_masks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>

namespace quern::grammar {

// A place of the trie where the rule may have ended, after so many turns: what follows depends on the callers.
struct TokenMasks::Exit {
  uint32_t turn;
  uint8_t byte;   // the next one
  uint32_t node;  // of the trie, for this byte
  auto order() const { return std::tie(turn, byte, node); }
};

struct TokenMasks::StateMask {
  // Tokens that stay inside of the rule, by the turns they need, the fewest first.
  struct Layer {
    uint32_t turn;
    TokenSet tokens;
  };
  std::vector<Layer> layers;
  std::vector<Exit> exits;     // in order
  std::vector<size_t> groups;  // where exits of another turn or byte begin, and the end

  size_t size_bytes() const {
    size_t bytes = sizeof(*this) + exits.size() * sizeof(Exit) + groups.size() * sizeof(size_t);
    for (const Layer& layer : layers) bytes += sizeof(layer) + layer.tokens.size_bytes();
    return bytes;
  }
};

namespace {

Error too_ambiguous() {
  return make_error(ErrorCode::deadline, "the grammar has too many ways to read this text",
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

TokenMasks::TokenMasks(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const Vocabulary> vocabulary)
    : grammar_(std::move(grammar)), vocabulary_(std::move(vocabulary)) {}

Result<std::shared_ptr<const TokenMasks::StateMask>> TokenMasks::make_mask(uint32_t state) const {
  const std::span<const Vocabulary::Node> nodes = vocabulary_->nodes();
  const bool counted = grammar_->rule(grammar_->state(state).rule).counted();
  ParseStack stack = ParseStack::open(grammar_, state);
  std::map<uint32_t, std::vector<TokenId>> layers;
  StateMask mask;
  const bool done = Walk(*vocabulary_, stack).over(0, static_cast<uint32_t>(nodes.size()), [&](uint32_t i) {
    const Vocabulary::Node& node = nodes[i];
    uint32_t turn = counted ? UINT32_MAX : 1;
    for (const ParseStack::Item& item : stack.items()) {
      if (counted && node.token != Vocabulary::kNoToken) turn = std::min(turn, stack.turns(item));
      if (item.state != Grammar::kEnd) continue;
      for (uint32_t child = i + 1; child < node.end; child = nodes[child].end)
        mask.exits.push_back({item.node, nodes[child].byte, child});
    }
    vocabulary_->for_each_token(node, [&](TokenId id) { layers[turn].push_back(id); });
  });
  if (!done) return too_ambiguous();
  for (auto& [turn, tokens] : layers)
    mask.layers.push_back({turn, TokenSet(std::move(tokens), vocabulary_->mask_words())});
  std::ranges::sort(mask.exits, {}, &Exit::order);
  for (size_t i = 0; i < mask.exits.size(); ++i) {
    const bool begins = i == 0 || mask.exits[i].turn != mask.exits[i - 1].turn ||
                        mask.exits[i].byte != mask.exits[i - 1].byte;
    if (begins) mask.groups.push_back(i);
  }
  mask.groups.push_back(mask.exits.size());
  return std::make_shared<const StateMask>(std::move(mask));
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

Result<std::shared_ptr<const TokenMasks::StateMask>> TokenMasks::mask_of(uint32_t state) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = states_.find(state); found != states_.end()) return found->second;
  }
  QUERN_TRY(std::shared_ptr<const StateMask> mask, make_mask(state));
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
  std::vector<TokenId> ids;
  for (size_t word = 0; word < bits.size(); ++word) {
    for (uint64_t rest = bits[word]; rest != 0; rest &= rest - 1)
      ids.push_back(static_cast<TokenId>(word * 64) + std::countr_zero(rest));
  }
  auto set = std::make_shared<const TokenSet>(std::move(ids), vocabulary_->mask_words());
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
