// A set of byte strings as a double-array trie (Aoe, 1989): one memory access per byte to find all entries that
// a text begins with.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace quern::text {

// Read-only after construction, so thread-safe.
class ByteTrie {
 public:
  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNoNode = UINT32_MAX;
  static constexpr int32_t kNoValue = -1;

  struct Entry {
    std::string_view text;
    int32_t value;  // not negative
  };
  // Of entries with the same text the last one counts. Empty texts are ignored.
  explicit ByteTrie(std::vector<Entry> entries = {});

  uint32_t child(uint32_t node, char byte) const {
    const uint32_t slot = units_[node].base + static_cast<uint8_t>(byte);
    return units_[slot].parent == node ? slot : kNoNode;
  }
  // The value of the entry that ends at this node, or kNoValue.
  int32_t value(uint32_t node) const { return units_[node].value; }
  // The node where `text` ends, or kNoNode.
  uint32_t walk(std::string_view text) const {
    uint32_t node = kRoot;
    for (size_t i = 0; i < text.size() && node != kNoNode; ++i) node = child(node, text[i]);
    return node;
  }

 private:
  struct Unit {
    uint32_t base = 0;
    uint32_t parent = kNoNode;
    int32_t value = kNoValue;
  };
  std::vector<Unit> units_;
};

}  // namespace quern::text
