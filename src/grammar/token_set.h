// Sets of tokens, and sets that are kept: small ones as lists, others as bits.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "grammar/vocabulary.h"

namespace quern::grammar {

inline void set_bit(std::span<uint64_t> bits, TokenId id) {
  bits[static_cast<size_t>(id) / 64] |= uint64_t{1} << (static_cast<size_t>(id) % 64);
}
inline bool has_bit(std::span<const uint64_t> bits, TokenId id) {
  return (bits[static_cast<size_t>(id) / 64] >> (static_cast<size_t>(id) % 64) & 1) != 0;
}

class TokenSet {
 public:
  TokenSet() = default;
  // Takes the shorter of both forms.
  TokenSet(std::vector<TokenId> ids, size_t mask_words) : ids_(std::move(ids)) {
    if (ids_.size() * sizeof(TokenId) <= mask_words * sizeof(uint64_t)) return;
    bits_.resize(mask_words);
    for (const TokenId id : ids_) set_bit(bits_, id);
    ids_ = {};
  }

  // Of the bits of a mask.
  explicit TokenSet(std::span<const uint64_t> bits) {
    size_t count = 0;
    for (const uint64_t word : bits) count += static_cast<size_t>(std::popcount(word));
    if (count * sizeof(TokenId) > bits.size_bytes()) {
      bits_.assign(bits.begin(), bits.end());
      return;
    }
    ids_.reserve(count);
    for (size_t word = 0; word < bits.size(); ++word) {
      for (uint64_t rest = bits[word]; rest != 0; rest &= rest - 1)
        ids_.push_back(static_cast<TokenId>(word * 64) + std::countr_zero(rest));
    }
  }

  void add_to(std::span<uint64_t> mask) const {
    for (const TokenId id : ids_) set_bit(mask, id);
    for (size_t word = 0; word < bits_.size(); ++word) mask[word] |= bits_[word];
  }
  size_t size_bytes() const { return ids_.size() * sizeof(TokenId) + bits_.size() * sizeof(uint64_t); }

 private:
  std::vector<TokenId> ids_;
  std::vector<uint64_t> bits_;  // in place of ids_ where not empty
};

}  // namespace quern::grammar
