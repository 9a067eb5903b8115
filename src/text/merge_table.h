// The merges of a BPE model: which pairs of tokens join, in what order, and what they become.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "text/byte_hash.h"
#include "text/vocabulary.h"

namespace quern::text {

struct Merge {
  static constexpr uint32_t kNever = UINT32_MAX;
  uint32_t rank = kNever;  // lower merges first
  TokenId result = kNoToken;
};

// Left token, right token and the token they make.
using MergeRule = std::array<TokenId, 3>;

// Read-only, so thread-safe.
class MergeTable {
 public:
  // `rules` in rank order. A pair that comes again takes the later rank.
  explicit MergeTable(std::span<const MergeRule> rules);

  // Merge{} when the pair does not join.
  Merge find(TokenId left, TokenId right) const {
    const uint64_t key = key_of(left, right);
    for (size_t i = mix_hash(key, 0) & mask_;; i = (i + 1) & mask_) {
      if (slots_[i].key == key) return slots_[i].merge;
      if (slots_[i].key == kEmpty) return {};
    }
  }

 private:
  static constexpr uint64_t kEmpty = UINT64_MAX;
  struct Slot {
    uint64_t key = kEmpty;
    Merge merge;
  };
  static uint64_t key_of(TokenId left, TokenId right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  size_t mask_;
  std::vector<Slot> slots_;
};

}  // namespace quern::text
