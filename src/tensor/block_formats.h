// The blocks of the quantised dtypes, byte for byte as files hold them (little-endian, no padding): those of GGUF, and NF4
// of bitsandbytes.
//
// A row of a block-quantised tensor is a run of blocks; each holds kElements consecutive values as small
// integers `q` with the scales to undo them. The comment of a struct gives the value of an element: d and m
// are its f16 scale and offset, sc and m integers packed in `scales`. Layouts: the GGUF specification and the
// ggml library that defines them. No std templates: the kernels of backend/cpu/isa include this file.
#pragma once

#include <cstdint>
#include <cstring>

#include "tensor/dtype.h"

namespace quern {

// 32 elements. Nibbles: the low one of byte j is element j, the high one element j + 16.

// d * (q - 8)
struct BlockQ4_0 {
  static constexpr int kElements = 32;
  float16 d;
  uint8_t qs[16];
};
// d * q + m
struct BlockQ4_1 {
  static constexpr int kElements = 32;
  float16 d, m;
  uint8_t qs[16];
};
// d * (q - 16); bit j of qh is the fifth bit of element j
struct BlockQ5_0 {
  static constexpr int kElements = 32;
  float16 d;
  uint8_t qh[4], qs[16];
};
// d * q + m
struct BlockQ5_1 {
  static constexpr int kElements = 32;
  float16 d, m;
  uint8_t qh[4], qs[16];
};
// d * q
struct BlockQ8_0 {
  static constexpr int kElements = 32;
  float16 d;
  int8_t qs[32];
};
// d * kIq4Levels[q]
struct BlockIQ4_NL {
  static constexpr int kElements = 32;
  float16 d;
  uint8_t qs[16];
};
// 2^(e - 128) * kFp4Levels[q]: OCP microscaling (MX) FP4, E2M1 elements with an E8M0 scale
struct BlockMXFP4 {
  static constexpr int kElements = 32;
  uint8_t e;
  uint8_t qs[16];
};
// ue4m3(d[g]) / 2 * kFp4Levels[q], four groups g of 16 with nibbles split 8 and 8
struct BlockNVFP4 {
  static constexpr int kElements = 64;
  uint8_t d[4];
  uint8_t qs[32];
};

// 256 elements: "K-quants". Two halves of 128; a half's 2-bit fields lie in runs of 32 bytes, one shift per
// 32 elements.

// d * (scales[g] & 15) * q - dmin * (scales[g] >> 4), 16 groups g of 16
struct BlockQ2_K {
  static constexpr int kElements = 256;
  uint8_t scales[16], qs[64];
  float16 d, dmin;
};
// d * (sc - 32) * (q - 4): q has two bits in qs and its third, bit i/32 of byte i%32, in hmask; sc by
// q3k_scale()
struct BlockQ3_K {
  static constexpr int kElements = 256;
  uint8_t hmask[32], qs[64], scales[12];
  float16 d;
};
// d * sc * q - dmin * m, 8 groups of 32; sc and m by q4k_scale()
struct BlockQ4_K {
  static constexpr int kElements = 256;
  float16 d, dmin;
  uint8_t scales[12], qs[128];
};
// The same with a fifth bit: bit i/32 of qh[i%32]
struct BlockQ5_K {
  static constexpr int kElements = 256;
  float16 d, dmin;
  uint8_t scales[12], qh[32], qs[128];
};
// d * scales[i/16] * (q - 32): four bits in ql, two in qh
struct BlockQ6_K {
  static constexpr int kElements = 256;
  uint8_t ql[128], qh[64];
  int8_t scales[16];
  float16 d;
};
// d * (sc - 32) * kIq4Levels[q], 8 groups of 32; sc by iq4xs_scale()
struct BlockIQ4_XS {
  static constexpr int kElements = 256;
  float16 d;
  uint16_t scales_h;
  uint8_t scales_l[4], qs[128];
};

// 256 elements whose groups of 8 (or 4) are entries of a codebook (tensor/codebooks.h).

// d * (s + 1/2) / 4 * ±grid, per 32: 4 bytes of indices, then 4 x 7 bits of signs and 4 bits s
struct BlockIQ2_XXS {
  static constexpr int kElements = 256;
  float16 d;
  uint8_t qs[8][8];
};
// The same, per 8: 9 bits of index and 7 of signs; s in nibbles, per 16
struct BlockIQ2_XS {
  static constexpr int kElements = 256;
  float16 d;
  uint16_t qs[32];
  uint8_t scales[8];
};
// The same with whole sign bytes and 10 bits of index, two of them in qh
struct BlockIQ2_S {
  static constexpr int kElements = 256;
  float16 d;
  uint8_t qs[32], signs[32], qh[8], scales[8];
};
// d * (s + 1/2) / 2 * ±grid, per 32: 8 indices in qs, 4 x 7 bits of signs and 4 bits s in `signs`
struct BlockIQ3_XXS {
  static constexpr int kElements = 256;
  float16 d;
  uint8_t qs[64], signs[8][4];
};
// d * (1 + 2 s) * ±grid, s per 32; per 4: 9 bits of index, one of them in qh
struct BlockIQ3_S {
  static constexpr int kElements = 256;
  float16 d;
  uint8_t qs[64], qh[8], signs[32], scales[4];
};
// d * (2 s + 1) * (grid ± 1/8), per 32: qh holds 4 x 3 bits of index, 3 bits s and the sign of the shift
struct BlockIQ1_S {
  static constexpr int kElements = 256;
  float16 d;
  uint8_t qs[32];
  uint16_t qh[8];
};
// The same with a nibble of qh per 8 (3 bits of index and a sign) and s per 16; d by iq1m_scale()
struct BlockIQ1_M {
  static constexpr int kElements = 256;
  uint8_t qs[32], qh[16];
  uint16_t scales[4];
};

// 256 elements of -1, 0 or 1, times d.

// Five to a byte as base-3 fractions (256/243 of the number, rounded up), the last 16 four to a byte
struct BlockTQ1_0 {
  static constexpr int kElements = 256;
  uint8_t qs[48], qh[4];
  float16 d;
};
// Two bits each, biased by 1
struct BlockTQ2_0 {
  static constexpr int kElements = 256;
  uint8_t qs[64];
  float16 d;
};

// scale * kNf4Levels[q], the scale beside (tensor/block_scales.h). Element 2j is the high nibble of byte j.
struct BlockNF4 {
  static constexpr int kElements = 64;
  uint8_t qs[32];
};

static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34 && sizeof(BlockIQ4_NL) == 18);
static_assert(sizeof(BlockMXFP4) == 17 && sizeof(BlockNVFP4) == 36);
static_assert(sizeof(BlockQ2_K) == 84 && sizeof(BlockQ3_K) == 110 && sizeof(BlockQ4_K) == 144);
static_assert(sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210 && sizeof(BlockIQ4_XS) == 136);
static_assert(sizeof(BlockIQ2_XXS) == 66 && sizeof(BlockIQ2_XS) == 74 && sizeof(BlockIQ2_S) == 82);
static_assert(sizeof(BlockIQ3_XXS) == 98 && sizeof(BlockIQ3_S) == 110);
static_assert(sizeof(BlockIQ1_S) == 50 && sizeof(BlockIQ1_M) == 56);
static_assert(sizeof(BlockTQ1_0) == 54 && sizeof(BlockTQ2_0) == 66 && sizeof(BlockNF4) == 32);

// The packed scales. Inlined always, so that each instruction set of backend/cpu has its own.

[[gnu::always_inline]] inline uint32_t load_u32(const uint8_t* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// The 6-bit scale (0..63, biased by 32) of group g = 0..15 of a BlockQ3_K.
[[gnu::always_inline]] inline int q3k_scale(const uint8_t (&scales)[12], int g) {
  const int low = scales[g % 8] >> (g / 8 * 4) & 15;
  const int high = scales[8 + g % 4] >> (g / 4 * 2) & 3;
  return low | high << 4;
}
struct ScaleAndMin {
  int scale, min;  // 0..63
};
// Those of group g = 0..7 of a BlockQ4_K or BlockQ5_K.
[[gnu::always_inline]] inline ScaleAndMin q4k_scale(const uint8_t (&s)[12], int g) {
  if (g < 4) return {s[g] & 63, s[g + 4] & 63};
  return {(s[g + 4] & 15) | (s[g - 4] >> 6) << 4, s[g + 4] >> 4 | (s[g] >> 6) << 4};
}
// The 6-bit scale (0..63, biased by 32) of group g = 0..7.
[[gnu::always_inline]] inline int iq4xs_scale(const BlockIQ4_XS& b, int g) {
  return (b.scales_l[g / 2] >> (g % 2 * 4) & 15) | (b.scales_h >> (2 * g) & 3) << 4;
}
// The f16 scale of a BlockIQ1_M, spread over the top nibbles of its four words.
[[gnu::always_inline]] inline float16 iq1m_scale(const BlockIQ1_M& b) {
  float16 d;
  d.bits = static_cast<uint16_t>(b.scales[0] >> 12 | (b.scales[1] >> 12) << 4 | (b.scales[2] >> 12) << 8 |
                                 (b.scales[3] >> 12) << 12);
  return d;
}
// 2^(e - 128), exact also where it is subnormal.
[[gnu::always_inline]] inline float half_e8m0(uint8_t e) {
  return __builtin_bit_cast(float, e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23);
}
// Half of the unsigned E4M3 number (bias 7); its NaN, 0x7f, counts as 0.
[[gnu::always_inline]] inline float half_ue4m3(uint8_t bits) {
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  if (bits == 0x7f) return 0.0f;
  if (exponent == 0) return static_cast<float>(mantissa) * 0x1p-10f;
  return static_cast<float>(8 + mantissa) *
         __builtin_bit_cast(float, static_cast<uint32_t>(exponent + 116) << 23);
}
// The eight signs that seven bits stand for: the eighth makes their number even. A set bit is a minus.
[[gnu::always_inline]] inline uint8_t even_signs(uint32_t seven) {
  return static_cast<uint8_t>(seven | static_cast<uint32_t>(__builtin_parity(seven)) << 7);
}

// The dtype of a block's struct: the inverse of visit_block.
template <class Block>
inline constexpr DType block_dtype = DType::f32;
template <>
inline constexpr DType block_dtype<BlockQ4_0> = DType::q4_0;
template <>
inline constexpr DType block_dtype<BlockQ4_1> = DType::q4_1;
template <>
inline constexpr DType block_dtype<BlockQ5_0> = DType::q5_0;
template <>
inline constexpr DType block_dtype<BlockQ5_1> = DType::q5_1;
template <>
inline constexpr DType block_dtype<BlockQ8_0> = DType::q8_0;
template <>
inline constexpr DType block_dtype<BlockQ2_K> = DType::q2_k;
template <>
inline constexpr DType block_dtype<BlockQ3_K> = DType::q3_k;
template <>
inline constexpr DType block_dtype<BlockQ4_K> = DType::q4_k;
template <>
inline constexpr DType block_dtype<BlockQ5_K> = DType::q5_k;
template <>
inline constexpr DType block_dtype<BlockQ6_K> = DType::q6_k;
template <>
inline constexpr DType block_dtype<BlockIQ4_NL> = DType::iq4_nl;
template <>
inline constexpr DType block_dtype<BlockIQ4_XS> = DType::iq4_xs;
template <>
inline constexpr DType block_dtype<BlockMXFP4> = DType::mxfp4;
template <>
inline constexpr DType block_dtype<BlockNVFP4> = DType::nvfp4;
template <>
inline constexpr DType block_dtype<BlockIQ1_S> = DType::iq1_s;
template <>
inline constexpr DType block_dtype<BlockIQ1_M> = DType::iq1_m;
template <>
inline constexpr DType block_dtype<BlockIQ2_XXS> = DType::iq2_xxs;
template <>
inline constexpr DType block_dtype<BlockIQ2_XS> = DType::iq2_xs;
template <>
inline constexpr DType block_dtype<BlockIQ2_S> = DType::iq2_s;
template <>
inline constexpr DType block_dtype<BlockIQ3_XXS> = DType::iq3_xxs;
template <>
inline constexpr DType block_dtype<BlockIQ3_S> = DType::iq3_s;
template <>
inline constexpr DType block_dtype<BlockTQ1_0> = DType::tq1_0;
template <>
inline constexpr DType block_dtype<BlockTQ2_0> = DType::tq2_0;
template <>
inline constexpr DType block_dtype<BlockNF4> = DType::nf4;

// Calls f.template operator()<Block>() with the struct of a block-quantised dtype; throws InternalError for
// the others.
[[noreturn]] void throw_not_block(DType dtype);
template <class F>
decltype(auto) visit_block(DType dtype, F&& f) {
  switch (dtype) {
    case DType::q4_0:
      return f.template operator()<BlockQ4_0>();
    case DType::q4_1:
      return f.template operator()<BlockQ4_1>();
    case DType::q5_0:
      return f.template operator()<BlockQ5_0>();
    case DType::q5_1:
      return f.template operator()<BlockQ5_1>();
    case DType::q8_0:
      return f.template operator()<BlockQ8_0>();
    case DType::q2_k:
      return f.template operator()<BlockQ2_K>();
    case DType::q3_k:
      return f.template operator()<BlockQ3_K>();
    case DType::q4_k:
      return f.template operator()<BlockQ4_K>();
    case DType::q5_k:
      return f.template operator()<BlockQ5_K>();
    case DType::q6_k:
      return f.template operator()<BlockQ6_K>();
    case DType::iq4_nl:
      return f.template operator()<BlockIQ4_NL>();
    case DType::iq4_xs:
      return f.template operator()<BlockIQ4_XS>();
    case DType::mxfp4:
      return f.template operator()<BlockMXFP4>();
    case DType::nvfp4:
      return f.template operator()<BlockNVFP4>();
    case DType::iq1_s:
      return f.template operator()<BlockIQ1_S>();
    case DType::iq1_m:
      return f.template operator()<BlockIQ1_M>();
    case DType::iq2_xxs:
      return f.template operator()<BlockIQ2_XXS>();
    case DType::iq2_xs:
      return f.template operator()<BlockIQ2_XS>();
    case DType::iq2_s:
      return f.template operator()<BlockIQ2_S>();
    case DType::iq3_xxs:
      return f.template operator()<BlockIQ3_XXS>();
    case DType::iq3_s:
      return f.template operator()<BlockIQ3_S>();
    case DType::tq1_0:
      return f.template operator()<BlockTQ1_0>();
    case DType::tq2_0:
      return f.template operator()<BlockTQ2_0>();
    case DType::nf4:
      return f.template operator()<BlockNF4>();
    default:
      throw_not_block(dtype);
  }
}

}  // namespace quern
