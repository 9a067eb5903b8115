// What products of strips need (tensor/strips.h) on AVX2, FMA and F16C: halves of eight rows. See strip_scalar.h for
// what each operation means.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "tensor/dtype.h"

namespace quern::backend::cpu::QUERN_ISA {

struct Codes {
  __m256i low, high;
  static Codes load(const uint8_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
  }
  template <int kShift>
  static __m256i shifted(__m256i v) {
    if constexpr (kShift > 0) return _mm256_slli_epi16(v, kShift);
    if constexpr (kShift < 0) return _mm256_srli_epi16(v, -kShift);
    return v;
  }
  template <int kShift>
  Codes bits(uint8_t mask) const {
    const __m256i m = _mm256_set1_epi8(static_cast<char>(mask));
    return {_mm256_and_si256(shifted<kShift>(low), m), _mm256_and_si256(shifted<kShift>(high), m)};
  }
  Codes operator|(Codes other) const {
    return {_mm256_or_si256(low, other.low), _mm256_or_si256(high, other.high)};
  }
  Codes lookup(const uint8_t (&table)[16]) const {
    const __m256i levels =
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
    return {_mm256_shuffle_epi8(levels, low), _mm256_shuffle_epi8(levels, high)};
  }
};

struct Ints {
  __m256i low, high;
  static Ints zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static Ints load(const int8_t* p) {
    const auto widen = [](const int8_t* from) {
      return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
    };
    return {widen(p), widen(p + 8)};
  }
  Ints operator+(Ints other) const {
    return {_mm256_add_epi32(low, other.low), _mm256_add_epi32(high, other.high)};
  }
  Ints operator-(Ints other) const {
    return {_mm256_sub_epi32(low, other.low), _mm256_sub_epi32(high, other.high)};
  }
  Ints operator*(Ints other) const {
    return {_mm256_mullo_epi32(low, other.low), _mm256_mullo_epi32(high, other.high)};
  }
  template <int kPower>
  Ints times() const {
    return {_mm256_slli_epi32(low, __builtin_ctz(kPower)), _mm256_slli_epi32(high, __builtin_ctz(kPower))};
  }
};

inline Ints paired(Ints low, Ints high) {
  return {_mm256_blend_epi16(low.low, _mm256_slli_epi32(high.low, 16), 0xaa),
          _mm256_blend_epi16(low.high, _mm256_slli_epi32(high.high, 16), 0xaa)};
}
inline Ints dot_pairs(Ints sum, Ints pairs, const int16_t* x) {
  int32_t two;
  std::memcpy(&two, x, 4);
  const __m256i v = _mm256_set1_epi32(two);
  return {_mm256_add_epi32(sum.low, _mm256_madd_epi16(pairs.low, v)),
          _mm256_add_epi32(sum.high, _mm256_madd_epi16(pairs.high, v))};
}

template <int kZero>
inline constexpr int kZeroLeft = kZero == 128 ? 0 : kZero;
template <int kZero>
inline Ints first_sum(const int32_t* minus_sum) {
  if constexpr (kZeroLeft<kZero> == 0) return Ints::zero();
  const __m256i v = _mm256_slli_epi32(_mm256_set1_epi32(*minus_sum), __builtin_ctz(kZero | 1 << 30));
  return {v, v};
}
// Products are added in pairs, which saturate at 16 bits: codes of 128 and more lose their zero first, and meet x as |code|
// and x with the code's sign.
template <int kZero>
inline Codes ready(Codes codes) {
  if constexpr (kZero != 128) return codes;
  const __m256i top = _mm256_set1_epi8(static_cast<char>(0x80));
  return {_mm256_xor_si256(codes.low, top), _mm256_xor_si256(codes.high, top)};
}

// Quads whose sums of pairs stay within 16 bits together.
template <int kZero, int kMost>
inline constexpr int kQuadsOfPairs = kZero == 128                    ? 1
                                     : 32767 / (2 * 127 * kMost) > 8 ? 8
                                                                     : 32767 / (2 * 127 * kMost);

template <int kZero>
inline __m256i dot_of_pairs(__m256i codes, __m256i x) {
  if constexpr (kZero == 128) return _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
  return _mm256_maddubs_epi16(codes, x);
}

// A weight twice for each row, as pairs meet it.
struct Weights {
  Ints pairs;
};
inline Weights weights_of(Ints weights) { return {paired(weights, weights)}; }

template <int kZero, int kMost, int kCount, int kRows>
inline void add_weighed_dots(Ints (&sums)[kRows], const Codes* quads, const int8_t* const (&x)[kRows],
                             Weights weights) {
  constexpr int kTogether = kQuadsOfPairs<kZero, kMost> < kCount ? kQuadsOfPairs<kZero, kMost> : kCount;
  static_assert(kTogether > 0);
#pragma GCC unroll 8
  for (int first = 0; first < kCount; first += kTogether) {
    __m256i low[kRows], high[kRows];
#pragma GCC unroll 8
    for (int q = first; q < first + kTogether; ++q) {
#pragma GCC unroll 16
      for (int row = 0; row < kRows; ++row) {
        int32_t four;
        std::memcpy(&four, x[row] + 4 * q, 4);
        const __m256i v = _mm256_set1_epi32(four);
        const __m256i lows = dot_of_pairs<kZero>(quads[q].low, v),
                      highs = dot_of_pairs<kZero>(quads[q].high, v);
        low[row] = q == first ? lows : _mm256_add_epi16(low[row], lows);
        high[row] = q == first ? highs : _mm256_add_epi16(high[row], highs);
      }
    }
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) {
      sums[row].low = _mm256_add_epi32(sums[row].low, _mm256_madd_epi16(low[row], weights.pairs.low));
      sums[row].high = _mm256_add_epi32(sums[row].high, _mm256_madd_epi16(high[row], weights.pairs.high));
    }
  }
}
template <int kZero, int kMost, int kCount, int kRows>
inline void add_dots(Ints (&sums)[kRows], const Codes* quads, const int8_t* const (&x)[kRows]) {
  const __m256i ones = _mm256_set1_epi16(1);
  add_weighed_dots<kZero, kMost, kCount>(sums, quads, x, Weights{{ones, ones}});
}
template <int kRows>
inline constexpr int kRowsInTurn = kRows;

struct Floats {
  __m256 low, high;
  static Floats zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static Floats load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static Floats load(const float16* p) {
    const __m128i* halves = reinterpret_cast<const __m128i*>(p);
    return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
  }
  static Floats load(const bfloat16* p) {
    const auto widen = [](const bfloat16* from) {
      return _mm256_castsi256_ps(_mm256_slli_epi32(
          _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))), 16));
    };
    return {widen(p), widen(p + 8)};
  }
  static Floats load(const int8_t* p) {
    const auto widen = [](const int8_t* from) {
      return _mm256_cvtepi32_ps(
          _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
    };
    return {widen(p), widen(p + 8)};
  }
  static Floats broadcast(const float* p) { return {_mm256_set1_ps(*p), _mm256_set1_ps(*p)}; }
  static Floats from(Ints i) { return {_mm256_cvtepi32_ps(i.low), _mm256_cvtepi32_ps(i.high)}; }
  Floats operator*(Floats other) const {
    return {_mm256_mul_ps(low, other.low), _mm256_mul_ps(high, other.high)};
  }
  void store(float* p) const {
    _mm256_storeu_ps(p, low);
    _mm256_storeu_ps(p + 8, high);
  }
};
inline Floats multiply_add(Floats a, Floats b, Floats c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}

}  // namespace quern::backend::cpu::QUERN_ISA
