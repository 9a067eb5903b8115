// Who holds which block of a paged KV cache, and which blocks hold what a new sequence begins with.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace quern::engine {

// Blocks of kKvSlots tokens (ops/kv_store.h), counted by how many sequences hold them. What a block holds is remembered as
// a node of a tree: its tokens, after those of its parent. So a new sequence finds the blocks of its first tokens by
// comparing them, not their hashes: nobody can be given another text's keys. Trees of two scopes have nothing in common,
// nor do their timings. Blocks that nobody holds stay until they are needed, the longest unused first, children before
// parents. Not thread-safe; knows no memory, only numbers.
class BlockPool {
 public:
  explicit BlockPool(int64_t blocks);

  int64_t size() const { return static_cast<int64_t>(blocks_.size()); }
  // Blocks that take() can still give: empty ones, and those that nobody holds.
  int64_t available() const { return static_cast<int64_t>(empty_.size()) + unheld_; }
  // Of them, those that remember tokens.
  int64_t remembered() const { return unheld_; }

  // An empty block, held once; forgets what was unused longest. None: all are held.
  std::optional<int32_t> take();
  void hold(int32_t block);
  // Precondition: it is held. Forgets a block without tokens.
  void release(int32_t block);

  struct Match {
    std::vector<int32_t> blocks;  // full, in order: to be held and shared
    // A block whose first `shared` tokens come next: to be copied, since what follows differs. -1: none.
    int32_t partial = -1;
    int64_t shared = 0;
    int64_t tokens() const;  // in all
  };
  // The longest beginning of `tokens` that the pool remembers.
  Match match(const std::string& scope, std::span<const int32_t> tokens) const;

  // Tells what is now in a block that the caller holds alone: at most kKvSlots tokens that follow those of `parent` (-1:
  // none come before). Returns the block to hold instead from now on: another one where it is full and the pool knew the
  // same, to which the hold has moved.
  int32_t remember(const std::string& scope, int32_t parent, int32_t block, std::span<const int32_t> tokens);

 private:
  static constexpr int32_t kNone = -1;
  struct Block {
    int64_t holds = 0;
    uint64_t released = 0;  // when it was last released: the smaller, the longer ago
    int32_t parent = kNone;
    bool in_tree = false;
    std::string scope;  // of a block without a parent
    std::vector<int32_t> tokens;
    std::vector<int32_t> children;
  };

  Block& at(int32_t block) { return blocks_[static_cast<size_t>(block)]; }
  const Block& at(int32_t block) const { return blocks_[static_cast<size_t>(block)]; }
  const std::vector<int32_t>* children_of(const std::string& scope, int32_t parent) const;
  bool forgettable(const Block& block) const { return block.holds == 0 && block.children.empty(); }
  void forget(int32_t block);

  std::vector<Block> blocks_;
  std::vector<int32_t> empty_;
  int64_t unheld_ = 0;  // in the tree, held by nobody
  uint64_t clock_ = 0;
  std::set<std::pair<uint64_t, int32_t>> forgettable_;  // unheld leaves, by when they were released
  std::map<std::string, std::vector<int32_t>> roots_;   // children of nothing, by scope
};

}  // namespace quern::engine
