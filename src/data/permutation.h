// A pseudo-random permutation of [0, size) that needs no table: shuffling a corpus costs no memory, and the
// order of an epoch is a pure function of (seed, epoch).
#pragma once

#include <cstdint>

namespace quern::data {

// A four-round Feistel network over Philox on the smallest even number of bits that holds `size`, walked
// until it lands inside (Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002): at most
// four steps on average. Immutable, hence safe to share between threads.
class Permutation {
 public:
  Permutation(uint64_t size, uint64_t seed, uint64_t epoch);

  // Precondition: index < size.
  uint64_t operator()(uint64_t index) const;

 private:
  uint64_t encipher(uint64_t value) const;

  uint64_t size_;
  uint64_t seed_;
  uint64_t epoch_;
  int half_bits_;
};

}  // namespace quern::data
