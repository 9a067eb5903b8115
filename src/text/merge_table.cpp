#include "text/merge_table.h"

#include <bit>

namespace quern::text {

MergeTable::MergeTable(size_t count) : mask_(std::bit_ceil(count * 2 + 2) - 1), slots_(mask_ + 1) {}

void MergeTable::set(TokenId left, TokenId right, Merge merge) {
  const uint64_t key = key_of(left, right);
  size_t i = mix_hash(key, 0) & mask_;
  while (slots_[i].key != key && slots_[i].key != kEmpty) i = (i + 1) & mask_;
  slots_[i] = {key, merge};
}

}  // namespace quern::text
