// Blocks whose groups of elements are entries of a codebook: IQ1, IQ2 and IQ3.
#pragma once

#include "backend/cpu/kernels/support.h"
#include "tensor/block_codebooks.h"
#include "tensor/block_formats.h"

namespace quern::backend::cpu::QUERN_ISA {

// kSize magnitudes times `scale`; bit i of `signs` makes element i negative.
template <int kSize>
inline void decode_group(const int8_t (&magnitudes)[kSize], uint32_t signs, float scale, float* y) {
  for (int i = 0; i < kSize; ++i) {
    y[i] = scale * static_cast<float>((signs >> i & 1) != 0 ? -magnitudes[i] : magnitudes[i]);
  }
}

// (s + 1/2) times d, s from nibble i of `scales`.
inline float half_step_scale(float d, const uint8_t* scales, int i) {
  return d * (static_cast<float>(scales[i / 2] >> (i % 2 * 4) & 15) + 0.5f);
}

inline void decode_block(const BlockIQ2_XXS& b, float* y) {
  const float d = static_cast<float>(b.d) * 0.25f;
  for (int g = 0; g < 8; ++g) {
    const uint32_t packed = load_u32(b.qs[g] + 4);
    const float scale = d * (static_cast<float>(packed >> 28) + 0.5f);
    for (int j = 0; j < 4; ++j) {
      const uint32_t signs = even_signs(packed >> (7 * j) & 127);
      decode_group(kIq2XxsBook.groups[b.qs[g][j]], signs, scale, y + 32 * g + 8 * j);
    }
  }
}

inline void decode_block(const BlockIQ2_XS& b, float* y) {
  const float d = static_cast<float>(b.d) * 0.25f;
  for (int j = 0; j < 32; ++j) {
    const float scale = half_step_scale(d, b.scales, j / 2);
    decode_group(kIq2XsBook.groups[b.qs[j] & 511], even_signs(b.qs[j] >> 9), scale, y + 8 * j);
  }
}

inline void decode_block(const BlockIQ2_S& b, float* y) {
  const float d = static_cast<float>(b.d) * 0.25f;
  for (int j = 0; j < 32; ++j) {
    const int index = b.qs[j] | (b.qh[j / 4] >> (j % 4 * 2) & 3) << 8;
    decode_group(kIq2SBook.groups[index], b.signs[j], half_step_scale(d, b.scales, j / 2), y + 8 * j);
  }
}

inline void decode_block(const BlockIQ3_XXS& b, float* y) {
  const float d = static_cast<float>(b.d) * 0.5f;
  for (int g = 0; g < 8; ++g) {
    const uint32_t packed = load_u32(b.signs[g]);
    const float scale = d * (static_cast<float>(packed >> 28) + 0.5f);
    for (int j = 0; j < 8; ++j) {
      const uint32_t signs = even_signs(packed >> (j / 2 * 7) & 127) >> (j % 2 * 4);
      decode_group(kIq3XxsBook.groups[b.qs[8 * g + j]], signs, scale, y + 32 * g + 4 * j);
    }
  }
}

inline void decode_block(const BlockIQ3_S& b, float* y) {
  const float d = static_cast<float>(b.d);
  for (int j = 0; j < 64; ++j) {
    const float scale = d * static_cast<float>(1 + 2 * (b.scales[j / 16] >> (j / 8 % 2 * 4) & 15));
    const int index = b.qs[j] | (b.qh[j / 8] >> (j % 8) & 1) << 8;
    decode_group(kIq3SBook.groups[index], static_cast<uint32_t>(b.signs[j / 2]) >> (j % 2 * 4), scale,
                 y + 4 * j);
  }
}

// Eight ternary elements, all shifted by an eighth.
inline void decode_shifted(const int8_t (&group)[8], bool down, float scale, float* y) {
  const float shift = down ? -0.125f : 0.125f;
  for (int i = 0; i < 8; ++i) y[i] = scale * (static_cast<float>(group[i]) + shift);
}

inline void decode_block(const BlockIQ1_S& b, float* y) {
  const float d = static_cast<float>(b.d);
  for (int j = 0; j < 32; ++j) {
    const int packed = b.qh[j / 4];
    const int index = b.qs[j] | (packed >> (j % 4 * 3) & 7) << 8;
    const float scale = d * static_cast<float>(2 * (packed >> 12 & 7) + 1);
    decode_shifted(kIq1Book.groups[index], (packed & 0x8000) != 0, scale, y + 8 * j);
  }
}

inline void decode_block(const BlockIQ1_M& b, float* y) {
  const float d = static_cast<float>(iq1m_scale(b));
  for (int j = 0; j < 32; ++j) {
    const int packed = b.qh[j / 2] >> (j % 2 * 4);
    const int index = b.qs[j] | (packed & 7) << 8;
    const float scale = d * static_cast<float>(2 * (b.scales[j / 8] >> (j / 2 % 4 * 3) & 7) + 1);
    decode_shifted(kIq1Book.groups[index], (packed & 8) != 0, scale, y + 8 * j);
  }
}

}  // namespace quern::backend::cpu::QUERN_ISA
