// Tokens of words met before: a direct-mapped cache of fixed size, one per thread, one cache line per word.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "text/byte_hash.h"
#include "text/vocabulary.h"

namespace quern::text {

class WordCache {
 public:
  static constexpr size_t kMostTokens = 9;
  static bool accepts(std::string_view word) { return word.size() <= ShortKey::kLongest; }

  struct alignas(64) Entry {
    ShortKey key;
    std::array<TokenId, kMostTokens> ids;
    uint8_t length = 0;  // of the word; 0: the entry is free
    uint8_t count = 0;
    std::span<const TokenId> tokens() const { return std::span(ids).first(count); }
  };
  static_assert(sizeof(Entry) == 64);

  WordCache() : entries_(kEntries) {}

  // The entry where `word` belongs; `hit` tells whether it holds its tokens. Precondition: accepts(word), not
  // empty.
  struct Lookup {
    Entry& entry;
    ShortKey key;
    bool hit;
  };
  Lookup find(std::string_view word) {
    const ShortKey key(word);
    Entry& entry = entries_[key.hash(word.size()) & (kEntries - 1)];
    return {entry, key, entry.length == word.size() && entry.key == key};
  }
  // Stores the tokens of the word that was looked up, if they are few enough.
  static void store(Lookup& lookup, std::string_view word, std::span<const TokenId> tokens) {
    if (tokens.size() > kMostTokens) return;
    lookup.entry.key = lookup.key;
    lookup.entry.length = static_cast<uint8_t>(word.size());
    lookup.entry.count = static_cast<uint8_t>(tokens.size());
    std::copy(tokens.begin(), tokens.end(), lookup.entry.ids.begin());
  }

 private:
  static constexpr size_t kEntries = 16384;
  std::vector<Entry> entries_;
};

}  // namespace quern::text
