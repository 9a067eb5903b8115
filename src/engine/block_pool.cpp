#include "engine/block_pool.h"

#include <algorithm>

#include "base/exception.h"
#include "ops/kv_store.h"

namespace quern::engine {

using ops::kKvSlots;

BlockPool::BlockPool(int64_t blocks) : blocks_(static_cast<size_t>(blocks)) {
  for (int64_t i = blocks; i-- > 0;) empty_.push_back(static_cast<int32_t>(i));
}

std::optional<int32_t> BlockPool::take() {
  if (empty_.empty()) {
    if (forgettable_.empty()) return std::nullopt;
    forget(forgettable_.begin()->second);
  }
  const int32_t block = empty_.back();
  empty_.pop_back();
  at(block).holds = 1;
  return block;
}

void BlockPool::hold(int32_t block) {
  Block& held = at(block);
  if (held.holds++ > 0) return;
  --unheld_;
  forgettable_.erase({held.released, block});
}

void BlockPool::release(int32_t block) {
  Block& held = at(block);
  if (held.holds < 1) throw InternalError("[block_pool] expected a held block");
  if (--held.holds > 0) return;
  if (!held.in_tree) {
    empty_.push_back(block);
    return;
  }
  held.released = ++clock_;
  ++unheld_;
  if (forgettable(held)) forgettable_.insert({held.released, block});
}

// Precondition: forgettable.
void BlockPool::forget(int32_t block) {
  Block& gone = at(block);
  forgettable_.erase({gone.released, block});
  if (gone.parent == kNone) {
    const auto root = roots_.find(gone.scope);
    std::erase(root->second, block);
    if (root->second.empty()) roots_.erase(root);
  } else {
    Block& parent = at(gone.parent);
    std::erase(parent.children, block);
    if (forgettable(parent)) forgettable_.insert({parent.released, gone.parent});
  }
  gone = Block();
  --unheld_;
  empty_.push_back(block);
}

const std::vector<int32_t>* BlockPool::children_of(const std::string& scope, int32_t parent) const {
  if (parent != kNone) return &at(parent).children;
  const auto root = roots_.find(scope);
  return root == roots_.end() ? nullptr : &root->second;
}

int64_t BlockPool::Match::tokens() const { return static_cast<int64_t>(blocks.size()) * kKvSlots + shared; }

BlockPool::Match BlockPool::match(const std::string& scope, std::span<const int32_t> tokens) const {
  Match result;
  int32_t parent = kNone;
  while (const std::vector<int32_t>* children = children_of(scope, parent)) {
    int32_t best = kNone;
    int64_t common = 0;
    for (const int32_t child : *children) {
      const auto same = std::ranges::mismatch(at(child).tokens, tokens).in2 - tokens.begin();
      if (same > common) {
        best = child;
        common = same;
      }
    }
    if (common < kKvSlots) {
      result.partial = best;
      result.shared = common;
      break;
    }
    result.blocks.push_back(best);
    tokens = tokens.subspan(kKvSlots);
    parent = best;
  }
  return result;
}

int32_t BlockPool::remember(const std::string& scope, int32_t parent, int32_t block,
                            std::span<const int32_t> tokens) {
  Block& own = at(block);
  if (own.holds != 1 && tokens.size() != own.tokens.size())
    throw InternalError("[block_pool] expected to write to a block that nobody shares");
  if (static_cast<int64_t>(tokens.size()) == kKvSlots && own.tokens.size() != tokens.size()) {
    if (const std::vector<int32_t>* siblings = children_of(scope, parent)) {
      const auto twin = std::ranges::find_if(*siblings, [&](int32_t sibling) {
        return sibling != block && std::ranges::equal(at(sibling).tokens, tokens);
      });
      if (twin != siblings->end()) {
        const int32_t known = *twin;
        hold(known);
        const bool remembered = own.in_tree;
        release(block);
        if (remembered) forget(block);
        return known;
      }
    }
  }
  if (!own.in_tree) {
    own.in_tree = true;
    own.parent = parent;
    own.scope = parent == kNone ? scope : std::string();
    (parent == kNone ? roots_[scope] : at(parent).children).push_back(block);
  }
  own.tokens.assign(tokens.begin(), tokens.end());
  return block;
}

}  // namespace quern::engine
