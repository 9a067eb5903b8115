// Rows of block-quantised tensors to f32. The loops are plain: the compiler vectorises them for each
// instruction set. Products of a scale and integers are exact in f32, so fused or not, in any grouping, the
// bits are the reference's.
#pragma once

#include "backend/cpu/kernels/decode_codebooks.h"
#include "backend/cpu/kernels/support.h"
#include "tensor/block_codebooks.h"
#include "tensor/block_formats.h"

namespace quern::backend::cpu::QUERN_ISA {

inline void decode_block(const BlockQ4_0& b, float* y) {
  const float d = static_cast<float>(b.d);
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>((b.qs[i] & 15) - 8);
    y[i + 16] = d * static_cast<float>((b.qs[i] >> 4) - 8);
  }
}

inline void decode_block(const BlockQ4_1& b, float* y) {
  const float d = static_cast<float>(b.d), m = static_cast<float>(b.m);
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>(b.qs[i] & 15) + m;
    y[i + 16] = d * static_cast<float>(b.qs[i] >> 4) + m;
  }
}

inline void decode_block(const BlockQ5_0& b, float* y) {
  const float d = static_cast<float>(b.d);
  const uint32_t high = load_u32(b.qh);
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>(static_cast<int>((b.qs[i] & 15u) | (high >> i & 1) << 4) - 16);
    y[i + 16] = d * static_cast<float>(static_cast<int>((b.qs[i] >> 4) | (high >> (i + 16) & 1) << 4) - 16);
  }
}

inline void decode_block(const BlockQ5_1& b, float* y) {
  const float d = static_cast<float>(b.d), m = static_cast<float>(b.m);
  const uint32_t high = load_u32(b.qh);
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>(static_cast<int>((b.qs[i] & 15u) | (high >> i & 1) << 4)) + m;
    y[i + 16] = d * static_cast<float>(static_cast<int>((b.qs[i] >> 4) | (high >> (i + 16) & 1) << 4)) + m;
  }
}

inline void decode_block(const BlockQ8_0& b, float* y) {
  const float d = static_cast<float>(b.d);
  for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(b.qs[i]);
}

// `count` bytes of nibbles, the low ones first.
inline void decode_levels(const uint8_t* qs, int count, float d, const int8_t (&levels)[16], float* y) {
  for (int i = 0; i < count; ++i) {
    y[i] = d * static_cast<float>(levels[qs[i] & 15]);
    y[i + count] = d * static_cast<float>(levels[qs[i] >> 4]);
  }
}

inline void decode_block(const BlockIQ4_NL& b, float* y) {
  decode_levels(b.qs, 16, static_cast<float>(b.d), kIq4Levels, y);
}

inline void decode_block(const BlockMXFP4& b, float* y) {
  decode_levels(b.qs, 16, half_e8m0(b.e), kFp4Levels, y);
}

inline void decode_block(const BlockNVFP4& b, float* y) {
  for (int g = 0; g < 4; ++g) decode_levels(b.qs + 8 * g, 8, half_ue4m3(b.d[g]), kFp4Levels, y + 16 * g);
}

inline void decode_block(const BlockIQ4_XS& b, float* y) {
  const float d = static_cast<float>(b.d);
  for (int g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(iq4xs_scale(b, g) - 32);
    decode_levels(b.qs + 16 * g, 16, scale, kIq4Levels, y + 32 * g);
  }
}

inline void decode_block(const BlockQ2_K& b, float* y) {
  const float d = static_cast<float>(b.d), dmin = static_cast<float>(b.dmin);
  for (int g = 0; g < 16; ++g) {
    const float scale = d * static_cast<float>(b.scales[g] & 15),
                least = dmin * static_cast<float>(b.scales[g] >> 4);
    const uint8_t* qs = b.qs + g / 8 * 32 + g % 2 * 16;
    const int shift = g % 8 / 2 * 2;
    for (int i = 0; i < 16; ++i) y[16 * g + i] = scale * static_cast<float>(qs[i] >> shift & 3) - least;
  }
}

inline void decode_block(const BlockQ3_K& b, float* y) {
  const float d = static_cast<float>(b.d);
  for (int g = 0; g < 16; ++g) {
    const float scale = d * static_cast<float>(q3k_scale(b.scales, g) - 32);
    const uint8_t *qs = b.qs + g / 8 * 32 + g % 2 * 16, *high = b.hmask + g % 2 * 16;
    const int shift = g % 8 / 2 * 2;
    for (int i = 0; i < 16; ++i) {
      y[16 * g + i] = scale * static_cast<float>((qs[i] >> shift & 3) + (high[i] >> (g / 2) & 1) * 4 - 4);
    }
  }
}

inline void decode_block(const BlockQ4_K& b, float* y) {
  const float d = static_cast<float>(b.d), dmin = static_cast<float>(b.dmin);
  for (int g = 0; g < 8; ++g) {
    const ScaleAndMin s = q4k_scale(b.scales, g);
    const float scale = d * static_cast<float>(s.scale), least = dmin * static_cast<float>(s.min);
    const uint8_t* qs = b.qs + g / 2 * 32;
    const int shift = g % 2 * 4;
    for (int i = 0; i < 32; ++i) y[32 * g + i] = scale * static_cast<float>(qs[i] >> shift & 15) - least;
  }
}

inline void decode_block(const BlockQ5_K& b, float* y) {
  const float d = static_cast<float>(b.d), dmin = static_cast<float>(b.dmin);
  for (int g = 0; g < 8; ++g) {
    const ScaleAndMin s = q4k_scale(b.scales, g);
    const float scale = d * static_cast<float>(s.scale), least = dmin * static_cast<float>(s.min);
    const uint8_t* qs = b.qs + g / 2 * 32;
    const int shift = g % 2 * 4;
    for (int i = 0; i < 32; ++i) {
      y[32 * g + i] = scale * static_cast<float>((qs[i] >> shift & 15) + (b.qh[i] >> g & 1) * 16) - least;
    }
  }
}

inline void decode_block(const BlockQ6_K& b, float* y) {
  const float d = static_cast<float>(b.d);
  for (int g = 0; g < 16; ++g) {
    const float scale = d * static_cast<float>(b.scales[g]);
    const uint8_t *low = b.ql + g / 8 * 64 + g % 4 * 16, *high = b.qh + g / 8 * 32 + g % 2 * 16;
    const int low_shift = g % 8 / 4 * 4, high_shift = g % 8 / 2 * 2;
    for (int i = 0; i < 16; ++i) {
      const int q = (low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4;
      y[16 * g + i] = scale * static_cast<float>(q - 32);
    }
  }
}

inline void decode_block(const BlockTQ1_0& b, float* y) {
  const float d = static_cast<float>(b.d);
  const auto digits = [d](const uint8_t* from, int count, int places, float* to) {
    for (int place = 0, power = 1; place < places; ++place, power *= 3) {
      for (int i = 0; i < count; ++i) {
        to[place * count + i] = d * static_cast<float>(((from[i] * power & 255) * 3 >> 8) - 1);
      }
    }
  };
  digits(b.qs, 32, 5, y);
  digits(b.qs + 32, 16, 5, y + 160);
  digits(b.qh, 4, 4, y + 240);
}

inline void decode_block(const BlockTQ2_0& b, float* y) {
  const float d = static_cast<float>(b.d);
  for (int run = 0; run < 8; ++run) {
    const uint8_t* qs = b.qs + run / 4 * 32;
    for (int i = 0; i < 32; ++i) y[32 * run + i] = d * static_cast<float>((qs[i] >> (run % 4 * 2) & 3) - 1);
  }
}

inline void decode_block(const BlockNF4& b, const BlockScales& scales, int64_t index, float* y) {
  const float scale = scales.of(index);
  float values[16];
  for (int i = 0; i < 16; ++i) values[i] = scales.rounded(kNf4Levels[i] * scale);
  for (int i = 0; i < 32; ++i) {
    y[2 * i] = values[b.qs[i] >> 4];
    y[2 * i + 1] = values[b.qs[i] & 15];
  }
}

inline bool decode_rows(const DecodeRowsArgs& a) {
  return visit_dtype(a.y_dtype, [&]<class T>() {
    visit_block(a.x_dtype, [&]<class Block>() {
      constexpr int kElements = Block::kElements;
      const Block* blocks = static_cast<const Block*>(a.x);
      const int64_t count = a.rows * (a.cols / kElements);
      parallel_for(count, kLightGrain / kElements, [&](int64_t begin, int64_t end) {
        alignas(64) float values[kElements];
        for (int64_t i = begin; i < end; ++i) {
          T* to = static_cast<T*>(a.y) + i * kElements;
          float* wide = values;
          if constexpr (__is_same(T, float)) wide = to;
          if constexpr (has_scales_beside(block_dtype<Block>))
            decode_block(blocks[i], a.scales, i, wide);
          else
            decode_block(blocks[i], wide);
          if constexpr (!__is_same(T, float))
            for_lanes(kElements,
                      [&](int64_t j, auto lanes) { Vec::load(wide + j, lanes).store(to + j, lanes); });
        }
      });
    });
  });
}

}  // namespace quern::backend::cpu::QUERN_ISA
