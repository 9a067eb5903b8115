// Dropout by the counter-based generator of base/rng.h.
#pragma once

#include "backend/cpu/kernels/support.h"

namespace quern::backend::cpu::QUERN_ISA {

inline constexpr int kChains = 4;  // independent vectors of counters, to hide the multiplier's latency
inline constexpr int kBlocks = kChains * kWords;  // philox blocks at once
inline constexpr int kGroup = 4 * kBlocks;        // elements at once

// The words of philox4x32 blocks first .. first + kBlocks - 1 under (seed, stream), in the order of the
// elements. Each 32-bit word of the state lives in the lower half of a 64-bit lane; upper halves hold what
// nobody reads.
inline void philox_words(uint64_t first, uint64_t stream, uint64_t seed, uint32_t* words) {
  const Words mul0 = Words::broadcast(0xD2511F53), mul1 = Words::broadcast(0xCD9E8D57);
  Words c0[kChains], c1[kChains], c2[kChains], c3[kChains];
  for (int j = 0; j < kChains; ++j) {
    c0[j] = Words::count_from(first + static_cast<uint64_t>(j * kWords));
    c1[j] = upper_half(c0[j]);
    c2[j] = Words::broadcast(stream);
    c3[j] = upper_half(c2[j]);
  }
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const Words k0 = Words::broadcast(key0), k1 = Words::broadcast(key1);
    for (int j = 0; j < kChains; ++j) {
      const Words p0 = multiply(mul0, c0[j]), p1 = multiply(mul1, c2[j]);
      c0[j] = upper_half(p1) ^ c1[j] ^ k0;
      c1[j] = p1;
      c2[j] = upper_half(p0) ^ c3[j] ^ k1;
      c3[j] = p0;
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  for (int j = 0; j < kChains; ++j) {
    store_zipped(words + 4 * j * kWords, join_lower(c0[j], c1[j]), join_lower(c2[j], c3[j]));
  }
}

inline bool dropout(const DropoutArgs& a) {
  const uint64_t threshold = static_cast<uint64_t>(__builtin_ceil(a.p * 0x1p32));
  if (threshold > 0xffffffffu) return false;  // everything falls: not worth a path here
  const uint32_t lowest_kept = static_cast<uint32_t>(threshold);
  const Vec scale(static_cast<float>(1.0 / (1.0 - a.p)));
  return visit_dtype(a.dtype, [&]<class T>() {
    parallel_for((a.count + kGroup - 1) / kGroup, kHeavyGrain / kGroup, [&](int64_t begin, int64_t end) {
      for (int64_t g = begin; g < end; ++g) {
        uint32_t words[kGroup];
        philox_words(static_cast<uint64_t>(g) * kBlocks, a.stream, a.seed, words);
        const T* x = static_cast<const T*>(a.x) + g * kGroup;
        T* y = static_cast<T*>(a.y) + g * kGroup;
        const int64_t count = a.count - g * kGroup < kGroup ? a.count - g * kGroup : kGroup;
        for_lanes(count, [&](int64_t i, auto lanes) {
          const Mask kept = at_least(words + i, lowest_kept);
          select(kept, Vec::load(x + i, lanes) * scale, Vec(0.0f)).store(y + i, lanes);
        });
      }
    });
  });
}

}  // namespace quern::backend::cpu::QUERN_ISA
