// Counter-based randomness: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC
// 2011). A number is a pure function of (seed, stream, index), so resuming or splitting work cannot change
// it.
#pragma once

#include <array>
#include <cstdint>

namespace quern {

// The ten-round bijection: four words of a 128-bit counter under a 64-bit key.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// A stream of random numbers. Copyable; `position()` restores it exactly. Not thread-safe: give each worker a
// stream.
class Rng {
 public:
  Rng(uint64_t seed, uint64_t stream, uint64_t position = 0)
      : seed_(seed), stream_(stream), position_(position) {}

  uint64_t next_u64();
  uint32_t next_u32() { return static_cast<uint32_t>(next_u64() >> 32); }
  // [0, 1) with 53 random bits.
  double uniform();
  // Standard normal (Box-Muller; uses two draws per value so that position counts stay simple).
  double normal();
  // [0, bound), unbiased (Lemire's rejection). Precondition: bound > 0.
  uint64_t below(uint64_t bound);

  // Number of 64-bit words drawn so far.
  uint64_t position() const { return position_; }

 private:
  uint64_t seed_;
  uint64_t stream_;
  uint64_t position_;
};

}  // namespace quern
