#include "text/byte_trie.h"

#include <algorithm>

namespace quern::text {

namespace {
// Slots of the array and which of them are free.
class Slots {
 public:
  // The first free slot from `slot` on.
  uint32_t next_free(uint32_t slot) {
    grow(slot + 1);
    uint32_t free = slot;
    while (next_[free] != free) free = next_[free];
    while (next_[slot] != free && slot != free) {
      const uint32_t after = next_[slot];
      next_[slot] = free;
      slot = after;
    }
    return free;
  }
  bool is_free(uint32_t slot) {
    grow(slot + 1);
    return next_[slot] == slot;
  }
  void take(uint32_t slot) {
    grow(slot + 2);
    next_[slot] = slot + 1;
  }
  uint32_t size() const { return static_cast<uint32_t>(next_.size()); }

 private:
  void grow(uint32_t size) {
    while (next_.size() < size + 1) next_.push_back(static_cast<uint32_t>(next_.size()));
  }
  std::vector<uint32_t> next_;  // itself when free, else towards the next free one
};

// Where children with these bytes (ascending) fit: the slot of byte 0.
uint32_t find_base(Slots& slots, const std::vector<uint8_t>& bytes) {
  constexpr int kTries = 64;
  uint32_t slot = slots.next_free(1u + bytes[0]);
  for (int i = 0; i < kTries; ++i) {
    const uint32_t base = slot - bytes[0];
    const bool fits =
        std::all_of(bytes.begin(), bytes.end(), [&](uint8_t b) { return slots.is_free(base + b); });
    if (fits) return base;
    slot = slots.next_free(slot + 1);
  }
  return slots.size();
}
}  // namespace

ByteTrie::ByteTrie(std::vector<Entry> entries) : units_(257) {
  std::erase_if(entries, [](const Entry& entry) { return entry.text.empty(); });
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.text < b.text; });
  struct Group {  // the entries below one node
    uint32_t node;
    size_t begin, end, depth;
  };
  Slots slots;
  slots.take(kRoot);
  std::vector<Group> open = {{kRoot, 0, entries.size(), 0}};
  std::vector<uint8_t> bytes;
  std::vector<size_t> starts;
  while (!open.empty()) {
    Group group = open.back();
    open.pop_back();
    for (; group.begin < group.end && entries[group.begin].text.size() == group.depth; ++group.begin)
      units_[group.node].value = entries[group.begin].value;
    if (group.begin == group.end) continue;
    bytes.clear();
    starts.clear();
    for (size_t i = group.begin; i < group.end; ++i) {
      const auto byte = static_cast<uint8_t>(entries[i].text[group.depth]);
      if (!bytes.empty() && bytes.back() == byte) continue;
      bytes.push_back(byte);
      starts.push_back(i);
    }
    starts.push_back(group.end);
    const uint32_t base = find_base(slots, bytes);
    units_.resize(std::max<size_t>(units_.size(), base + 256));
    units_[group.node].base = base;
    for (size_t i = 0; i < bytes.size(); ++i) {
      const uint32_t slot = base + bytes[i];
      slots.take(slot);
      units_[slot].parent = group.node;
      open.push_back({slot, starts[i], starts[i + 1], group.depth + 1});
    }
  }
}

}  // namespace quern::text
