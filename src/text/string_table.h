// A set of byte strings numbered in the order they came, for vocabularies and word counts.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern::text {

// Strings live in one arena; the index has open addressing. Not thread-safe while adding.
class StringTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  size_t size() const { return ends_.size() - 1; }
  // Precondition: index < size(). The view is valid until the next add.
  std::string_view at(uint32_t index) const {
    return std::string_view(arena_).substr(ends_[index], ends_[index + 1] - ends_[index]);
  }
  // The index of `text`, or kNone.
  uint32_t find(std::string_view text) const;
  // The same for many: they wait for memory side by side. Precondition: as many indices as texts.
  void find(std::span<const std::string_view> texts, std::span<uint32_t> indices) const;
  // The index of `text`, which is added when it is new: then the index is the old size().
  uint32_t add(std::string_view text);
  void reserve(size_t strings, size_t bytes);
  // Bytes of all strings together.
  size_t bytes() const { return arena_.size(); }

 private:
  struct Slot {
    uint32_t tag = 0;  // upper half of the hash
    uint32_t index = kNone;
  };
  size_t probe(std::string_view text, uint64_t hash) const;
  void grow(size_t slots);

  std::string arena_;
  std::vector<uint64_t> ends_ = {0};
  std::vector<Slot> slots_;
};

}  // namespace quern::text
