#include "text/string_table.h"

#include <algorithm>
#include <array>
#include <bit>

#include "text/byte_hash.h"

namespace quern::text {

// The slot that holds `text`, or the empty one where it belongs. Precondition: some slot is empty.
size_t StringTable::probe(std::string_view text, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.index == kNone || (slot.tag == tag && at(slot.index) == text)) return i;
  }
}

uint32_t StringTable::find(std::string_view text) const {
  return slots_.empty() ? kNone : slots_[probe(text, hash_bytes(text))].index;
}

void StringTable::find(std::span<const std::string_view> texts, std::span<uint32_t> indices) const {
  if (slots_.empty()) return (void)std::ranges::fill(indices, kNone);
  constexpr size_t kTogether = 16;
  const size_t mask = slots_.size() - 1;
  std::array<uint64_t, kTogether> hashes;
  for (size_t first = 0; first < texts.size(); first += kTogether) {
    const auto some = texts.subspan(first, std::min(kTogether, texts.size() - first));
    for (size_t i = 0; i < some.size(); ++i) {
      hashes[i] = hash_bytes(some[i]);
      __builtin_prefetch(&slots_[hashes[i] & mask]);
    }
    const auto guess = [&](size_t i) { return slots_[hashes[i] & mask].index; };
    for (size_t i = 0; i < some.size(); ++i) {
      if (guess(i) != kNone) __builtin_prefetch(&ends_[guess(i)]);
    }
    for (size_t i = 0; i < some.size(); ++i) {
      if (guess(i) != kNone) __builtin_prefetch(arena_.data() + ends_[guess(i)]);
    }
    for (size_t i = 0; i < some.size(); ++i) indices[first + i] = slots_[probe(some[i], hashes[i])].index;
  }
}

uint32_t StringTable::add(std::string_view text) {
  if ((size() + 1) * 2 > slots_.size()) grow(std::max<size_t>(64, slots_.size() * 2));
  const uint64_t hash = hash_bytes(text);
  Slot& slot = slots_[probe(text, hash)];
  if (slot.index == kNone) {
    slot = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(size())};
    arena_.append(text);
    ends_.push_back(arena_.size());
  }
  return slot.index;
}

void StringTable::reserve(size_t strings, size_t bytes) {
  arena_.reserve(bytes);
  ends_.reserve(strings + 1);
  if (const size_t slots = std::bit_ceil(strings * 2 + 2); slots > slots_.size()) grow(slots);
}

void StringTable::grow(size_t slots) {
  slots_.assign(slots, Slot{});
  for (uint32_t index = 0; index < size(); ++index) {
    const uint64_t hash = hash_bytes(at(index));
    const size_t mask = slots - 1;
    size_t i = hash & mask;
    while (slots_[i].index != kNone) i = (i + 1) & mask;
    slots_[i] = {static_cast<uint32_t>(hash >> 32), index};
  }
}

}  // namespace quern::text
