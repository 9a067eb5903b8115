#include "data/permutation.h"

#include <bit>

#include "base/rng.h"

namespace quern::data {

Permutation::Permutation(uint64_t size, uint64_t seed, uint64_t epoch)
    : size_(size),
      seed_(seed),
      epoch_(epoch),
      half_bits_((std::bit_width(size > 1 ? size - 1 : 1) + 1) / 2) {}

uint64_t Permutation::encipher(uint64_t value) const {
  constexpr uint32_t kRounds = 4;
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  uint64_t left = value >> half_bits_, right = value & mask;
  for (uint32_t round = 0; round < kRounds; ++round) {
    const auto words = philox4x32({static_cast<uint32_t>(right), round, static_cast<uint32_t>(epoch_),
                                   static_cast<uint32_t>(epoch_ >> 32)},
                                  {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
    const uint64_t mixed = left ^ (words[0] & mask);
    left = right;
    right = mixed;
  }
  return left << half_bits_ | right;
}

uint64_t Permutation::operator()(uint64_t index) const {
  do index = encipher(index);
  while (index >= size_);
  return index;
}

}  // namespace quern::data
