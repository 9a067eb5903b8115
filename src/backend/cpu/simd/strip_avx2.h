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

inline __m256i add_pairs(__m256i sum, __m256i pairs) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

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
// Sums of two products saturate at 16 bits: codes of 128 and more lose their zero first, and meet x as |code| and x
// with the code's sign.
template <int kZero>
inline Ints dot(Ints sum, Codes codes, const int8_t* x) {
  int32_t four;
  std::memcpy(&four, x, 4);
  const __m256i v = _mm256_set1_epi32(four);
  if constexpr (kZero == 128) {
    const __m256i top = _mm256_set1_epi8(static_cast<char>(0x80));
    const __m256i low = _mm256_xor_si256(codes.low, top), high = _mm256_xor_si256(codes.high, top);
    return {add_pairs(sum.low, _mm256_maddubs_epi16(_mm256_abs_epi8(low), _mm256_sign_epi8(v, low))),
            add_pairs(sum.high, _mm256_maddubs_epi16(_mm256_abs_epi8(high), _mm256_sign_epi8(v, high)))};
  }
  return {add_pairs(sum.low, _mm256_maddubs_epi16(codes.low, v)),
          add_pairs(sum.high, _mm256_maddubs_epi16(codes.high, v))};
}

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
