#include "text/merge_table.h"

#include <bit>

namespace quern::text {

// At most two slots of three are taken.
MergeTable::MergeTable(std::span<const MergeRule> rules)
    : mask_(std::bit_ceil(rules.size() + rules.size() / 2 + 2) - 1), slots_(mask_ + 1) {
  constexpr size_t kAhead = 16;
  const auto slot_of = [&](size_t i) { return mix_hash(key_of(rules[i][0], rules[i][1]), 0) & mask_; };
  for (size_t rank = 0; rank < rules.size(); ++rank) {
    if (rank + kAhead < rules.size()) __builtin_prefetch(&slots_[slot_of(rank + kAhead)], 1);
    const uint64_t key = key_of(rules[rank][0], rules[rank][1]);
    size_t i = slot_of(rank);
    while (slots_[i].key != key && slots_[i].key != kEmpty) i = (i + 1) & mask_;
    slots_[i] = {key, {static_cast<uint32_t>(rank), rules[rank][2]}};
  }
}

}  // namespace quern::text
