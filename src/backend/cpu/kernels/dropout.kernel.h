// Dropout by the counter-based generator of base/rng.h. Philox runs on kBlocks counters at once in plain loops that
// the compiler turns into vectors.
#pragma once

#include "backend/cpu/kernels/support.h"

namespace quern::backend::cpu::QUERN_ISA {

inline constexpr int kBlocks = 16;           // counters at once
inline constexpr int kGroup = 4 * kBlocks;  // elements at once

// The words of philox4x32 blocks first .. first + kBlocks - 1 under (seed, stream), in the order of the elements.
inline void philox_words(uint64_t first, uint64_t stream, uint64_t seed, uint32_t* words) {
  constexpr uint64_t kMul0 = 0xD2511F53, kMul1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  uint32_t c0[kBlocks], c1[kBlocks], c2[kBlocks], c3[kBlocks];
  for (int j = 0; j < kBlocks; ++j) {
    const uint64_t block = first + static_cast<uint64_t>(j);
    c0[j] = static_cast<uint32_t>(block);
    c1[j] = static_cast<uint32_t>(block >> 32);
    c2[j] = static_cast<uint32_t>(stream);
    c3[j] = static_cast<uint32_t>(stream >> 32);
  }
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int j = 0; j < kBlocks; ++j) {
      const uint64_t p0 = kMul0 * c0[j], p1 = kMul1 * c2[j];
      c0[j] = static_cast<uint32_t>(p1 >> 32) ^ c1[j] ^ key0;
      c1[j] = static_cast<uint32_t>(p1);
      c2[j] = static_cast<uint32_t>(p0 >> 32) ^ c3[j] ^ key1;
      c3[j] = static_cast<uint32_t>(p0);
    }
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  for (int j = 0; j < kBlocks; ++j) {
    words[4 * j] = c0[j];
    words[4 * j + 1] = c1[j];
    words[4 * j + 2] = c2[j];
    words[4 * j + 3] = c3[j];
  }
}

inline bool dropout(const DropoutArgs& a) {
  const uint64_t threshold = static_cast<uint64_t>(__builtin_ceil(a.p * 0x1p32));
  if (threshold > 0xffffffffu) return false;  // everything falls: not worth a path here
  const uint32_t lowest_kept = static_cast<uint32_t>(threshold);
  const float scale = static_cast<float>(1.0 / (1.0 - a.p));
  return visit_dtype(a.dtype, [&]<class T>() {
    parallel_for((a.count + kGroup - 1) / kGroup, kHeavyGrain / kGroup, [&](int64_t begin, int64_t end) {
      for (int64_t g = begin; g < end; ++g) {
        uint32_t words[kGroup];
        float factor[kGroup];
        philox_words(static_cast<uint64_t>(g) * kBlocks, a.stream, a.seed, words);
        for (int j = 0; j < kGroup; ++j) factor[j] = words[j] < lowest_kept ? 0.0f : scale;
        const T* x = static_cast<const T*>(a.x) + g * kGroup;
        T* y = static_cast<T*>(a.y) + g * kGroup;
        const int64_t count = a.count - g * kGroup < kGroup ? a.count - g * kGroup : kGroup;
        for_lanes(count, [&](int64_t i, auto lanes) {
          const Vec f = Vec::load(factor + i, lanes);
          select(Vec(0.0f) < f, Vec::load(x + i, lanes) * f, Vec(0.0f)).store(y + i, lanes);
        });
      }
    });
  });
}

}  // namespace quern::backend::cpu::QUERN_ISA
