// Rows of blocks to strips (tensor/strips.h).
#pragma once

#include "backend/cpu/kernels/decode_rows.kernel.h"
#include "tensor/strips.h"

namespace quern::backend::cpu::QUERN_ISA {

// One group of 32 columns of one row, before rows are put side by side.
struct GroupCodes {
  uint8_t codes[32];
};
// Its scales and mins, one per `columns_per_scale`, as the format stores them: f16, bf16 or f32 bits, or i8.
struct GroupScales {
  uint32_t scale[2] = {}, min[2] = {};
};

inline void low_nibbles_first(const uint8_t* bytes, int count, uint8_t* codes) {
  for (int i = 0; i < count; ++i) {
    codes[i] = bytes[i] & 15;
    codes[i + count] = bytes[i] >> 4;
  }
}
inline void fifth_bits(const uint8_t (&high)[4], uint8_t* codes) {
  const uint32_t bits = load_u32(high);
  for (int i = 0; i < 32; ++i) codes[i] = static_cast<uint8_t>(codes[i] | (bits >> i & 1) << 4);
}
// `count` low bits, from bit `shift` on, of 32 bytes.
inline void bits_of_run(const uint8_t* bytes, int shift, int mask, uint8_t* codes) {
  for (int i = 0; i < 32; ++i) codes[i] = static_cast<uint8_t>(bytes[i] >> shift & mask);
}

// Group g of a block.
inline void read_group(const BlockQ4_0& b, int, GroupCodes& c, GroupScales& s) {
  low_nibbles_first(b.qs, 16, c.codes);
  s.scale[0] = b.d.bits;
}
inline void read_group(const BlockQ4_1& b, int, GroupCodes& c, GroupScales& s) {
  low_nibbles_first(b.qs, 16, c.codes);
  s = {{b.d.bits}, {b.m.bits}};
}
inline void read_group(const BlockQ5_0& b, int, GroupCodes& c, GroupScales& s) {
  low_nibbles_first(b.qs, 16, c.codes);
  fifth_bits(b.qh, c.codes);
  s.scale[0] = b.d.bits;
}
inline void read_group(const BlockQ5_1& b, int, GroupCodes& c, GroupScales& s) {
  low_nibbles_first(b.qs, 16, c.codes);
  fifth_bits(b.qh, c.codes);
  s = {{b.d.bits}, {b.m.bits}};
}
inline void read_group(const BlockQ8_0& b, int, GroupCodes& c, GroupScales& s) {
  for (int i = 0; i < 32; ++i) c.codes[i] = static_cast<uint8_t>(b.qs[i] ^ 0x80);
  s.scale[0] = b.d.bits;
}
inline void read_group(const BlockIQ4_NL& b, int, GroupCodes& c, GroupScales& s) {
  low_nibbles_first(b.qs, 16, c.codes);
  s.scale[0] = b.d.bits;
}
inline void read_group(const BlockMXFP4& b, int, GroupCodes& c, GroupScales& s) {
  low_nibbles_first(b.qs, 16, c.codes);
  s.scale[0] = bfloat16(half_e8m0(b.e)).bits;  // a power of two: exact
}
inline void read_group(const BlockNVFP4& b, int g, GroupCodes& c, GroupScales& s) {
  for (int half = 0; half < 2; ++half) {
    low_nibbles_first(b.qs + 16 * g + 8 * half, 8, c.codes + 16 * half);
    s.scale[half] = float16(half_ue4m3(b.d[2 * g + half])).bits;  // three bits of mantissa: exact
  }
}
// Strips hold levels as whole numbers of 1 / kNf4Unit: of all units up to 1 / 127 this one rounds them least.
inline constexpr float kNf4Unit = 112.0f;
inline void read_group(const BlockNF4& b, int g, float scale, GroupCodes& c, GroupScales& s) {
  for (int i = 0; i < 16; ++i) {
    c.codes[2 * i] = b.qs[16 * g + i] >> 4;
    c.codes[2 * i + 1] = b.qs[16 * g + i] & 15;
  }
  s.scale[0] = float16(scale / kNf4Unit).bits;
}
inline uint32_t byte_of(int value) { return static_cast<uint8_t>(value); }

inline void read_group(const BlockQ2_K& b, int g, GroupCodes& c, GroupScales& s) {
  bits_of_run(b.qs + g / 4 * 32, g % 4 * 2, 3, c.codes);
  for (int half = 0; half < 2; ++half) {
    s.scale[half] = b.scales[2 * g + half] & 15;
    s.min[half] = b.scales[2 * g + half] >> 4;
  }
}
inline void read_group(const BlockQ3_K& b, int g, GroupCodes& c, GroupScales& s) {
  bits_of_run(b.qs + g / 4 * 32, g % 4 * 2, 3, c.codes);
  for (int i = 0; i < 32; ++i) c.codes[i] = static_cast<uint8_t>(c.codes[i] | (b.hmask[i] >> g & 1) << 2);
  for (int half = 0; half < 2; ++half) s.scale[half] = byte_of(q3k_scale(b.scales, 2 * g + half) - 32);
}
inline void read_group(const BlockQ4_K& b, int g, GroupCodes& c, GroupScales& s) {
  bits_of_run(b.qs + g / 2 * 32, g % 2 * 4, 15, c.codes);
  const ScaleAndMin fine = q4k_scale(b.scales, g);
  s = {{byte_of(fine.scale)}, {byte_of(fine.min)}};
}
inline void read_group(const BlockQ5_K& b, int g, GroupCodes& c, GroupScales& s) {
  bits_of_run(b.qs + g / 2 * 32, g % 2 * 4, 15, c.codes);
  for (int i = 0; i < 32; ++i) c.codes[i] = static_cast<uint8_t>(c.codes[i] | (b.qh[i] >> g & 1) << 4);
  const ScaleAndMin fine = q4k_scale(b.scales, g);
  s = {{byte_of(fine.scale)}, {byte_of(fine.min)}};
}
inline void read_group(const BlockQ6_K& b, int g, GroupCodes& c, GroupScales& s) {
  bits_of_run(b.ql + g / 4 * 64 + g % 2 * 32, g % 4 / 2 * 4, 15, c.codes);
  const uint8_t* high = b.qh + g / 4 * 32;
  const int shift = g % 4 * 2;
  for (int i = 0; i < 32; ++i) c.codes[i] = static_cast<uint8_t>(c.codes[i] | (high[i] >> shift & 3) << 4);
  for (int half = 0; half < 2; ++half) s.scale[half] = byte_of(b.scales[2 * g + half]);
}
inline void read_group(const BlockIQ4_XS& b, int g, GroupCodes& c, GroupScales& s) {
  low_nibbles_first(b.qs + 16 * g, 16, c.codes);
  s.scale[0] = byte_of(iq4xs_scale(b, g) - 32);
}
// The other types: 16 columns to a scale, rounded to 8 bits.
template <class Block>
inline void read_group(const Block& b, int g, GroupCodes& c, GroupScales& s) {
  float values[Block::kElements];
  decode_block(b, values);
  for (int half = 0; half < 2; ++half) {
    const float* x = values + 32 * g + 16 * half;
    float largest = 0.0f;
    for (int i = 0; i < 16; ++i) {
      const float size = __builtin_fabsf(x[i]);
      largest = size > largest ? size : largest;
    }
    const float scale = largest / 127.0f, inverse = largest > 0.0f ? 127.0f / largest : 0.0f;
    for (int i = 0; i < 16; ++i) {
      const int rounded = static_cast<int>(x[i] * inverse + 128.5f);  // never negative
      c.codes[16 * half + i] = static_cast<uint8_t>(rounded);
    }
    s.scale[half] = __builtin_bit_cast(uint32_t, scale);
  }
}

// The f16 that fine scales and mins of a block multiply.
template <class Block>
inline void read_super(const Block& b, float16& scale, float16& min) {
  if constexpr (requires { b.dmin; }) {
    min.bits = b.dmin.bits ^ 0x8000;  // blocks subtract it
    scale = b.d;
  } else if constexpr (requires { b.d.bits; }) {
    scale = b.d;
  }
}

// Eight quads to the bit planes of a format.
template <StripFormat F>
inline void store_planes(const uint8_t (&quads)[8][64], uint8_t* to) {
  if constexpr (F.bits == 8) {
    std::memcpy(to, quads, 512);
    return;
  }
  constexpr int kLow = F.bits >= 4 ? 4 : 2;
  for (int p = 0; p < kLow; ++p, to += 64) {
    for (int i = 0; i < 64; ++i) {
      if constexpr (kLow == 4) {
        to[i] = static_cast<uint8_t>((quads[p][i] & 15) | quads[p + 4][i] << 4);
      } else {
        to[i] = static_cast<uint8_t>((quads[4 * p][i] & 3) | (quads[4 * p + 1][i] & 3) << 2 |
                                     (quads[4 * p + 2][i] & 3) << 4 | quads[4 * p + 3][i] << 6);
      }
    }
  }
  if constexpr (F.bits - kLow == 1) {
    for (int i = 0; i < 64; ++i) {
      int bits = 0;
      for (int q = 0; q < 8; ++q) bits |= (quads[q][i] >> kLow & 1) << q;
      to[i] = static_cast<uint8_t>(bits);
    }
  }
  if constexpr (F.bits - kLow == 2) {
    for (int p = 0; p < 2; ++p, to += 64) {
      for (int i = 0; i < 64; ++i) {
        int bits = 0;
        for (int q = 0; q < 4; ++q) bits |= (quads[4 * p + q][i] >> kLow & 3) << (2 * q);
        to[i] = static_cast<uint8_t>(bits);
      }
    }
  }
}

// `scales`: of the blocks of `rows`, where they lie beside.
template <class Block, StripFormat F>
inline void pack_strip(const Block* rows, const BlockScales& scales, int64_t row_count, int64_t cols,
                       uint8_t* strip) {
  constexpr StripLayout kUnit{F, kStripGroup};
  const StripLayout layout{F, cols};
  const int64_t blocks = cols / Block::kElements;
  constexpr int kGroups = Block::kElements / kStripGroup;  // of a block
  if constexpr (F.scale == StripScale::fine) {
    for (int64_t b = 0; b < blocks; ++b) {
      float16* to = reinterpret_cast<float16*>(strip + b * kUnit.super_bytes());
      for (int64_t r = 0; r < kStripRows; ++r) {
        float16 scale, min;
        scale.bits = min.bits = 0;
        if (r < row_count) read_super(rows[r * blocks + b], scale, min);
        to[r] = scale;
        if (F.mins) to[kStripRows + r] = min;
      }
    }
  }
  for (int64_t g = 0; g < layout.groups(); ++g) {
    alignas(64) uint8_t quads[8][64];
    uint8_t* to = strip + layout.scales_at() + g * kUnit.scale_bytes();
    for (int64_t r = 0; r < kStripRows; ++r) {
      GroupCodes c = {};
      GroupScales s;
      if (r < row_count) {
        const int64_t at = r * blocks + g / kGroups;
        const int group = static_cast<int>(g % kGroups);
        if constexpr (has_scales_beside(block_dtype<Block>))
          read_group(rows[at], group, scales.of(at), c, s);
        else
          read_group(rows[at], group, c, s);
      }
      for (int q = 0; q < 8; ++q) std::memcpy(quads[q] + 4 * r, c.codes + 4 * q, 4);
      constexpr int64_t kSize = kUnit.scale_size(), kRuns = kUnit.scale_runs();
      for (int64_t run = 0; run < kRuns; ++run) {
        std::memcpy(to + (run * kStripRows + r) * kSize, &s.scale[run], kSize);
        if (F.mins) std::memcpy(to + ((kRuns + run) * kStripRows + r) * kSize, &s.min[run], kSize);
      }
    }
    store_planes<F>(quads, strip + layout.codes_at() + g * kUnit.code_bytes());
  }
}

// Calls f.template operator()<Block, format>().
template <class F>
inline void visit_strips(DType dtype, F&& f) {
  visit_block(dtype, [&]<class Block>() {
    constexpr DType kDType = block_dtype<Block>;
    f.template operator()<Block, strip_format(kDType)>();
  });
}

// Strips [begin, end) of the matrix `a`, to `to`.
inline void pack_strip_range(const PackStripsArgs& a, int64_t begin, int64_t end, uint8_t* to) {
  visit_strips(a.x_dtype, [&]<class Block, StripFormat F>() {
    const int64_t blocks = a.cols / Block::kElements, bytes = StripLayout{F, a.cols}.bytes();
    for (int64_t s = begin; s < end; ++s, to += bytes) {
      const int64_t row = s * kStripRows, left = a.rows - row;
      BlockScales scales = a.scales;
      scales.first += row * blocks;
      pack_strip<Block, F>(static_cast<const Block*>(a.x) + row * blocks, scales,
                           left < kStripRows ? left : kStripRows, a.cols, to);
    }
  });
}

inline bool pack_strips(const PackStripsArgs& a) {
  const int64_t bytes = StripLayout{strip_format(a.x_dtype), a.cols}.bytes();
  parallel_for(strip_count(a.rows), kHeavyGrain / (kStripRows * a.cols) + 1, [&](int64_t begin, int64_t end) {
    pack_strip_range(a, begin, end, static_cast<uint8_t*>(a.strips) + begin * bytes);
  });
  return true;
}

}  // namespace quern::backend::cpu::QUERN_ISA
