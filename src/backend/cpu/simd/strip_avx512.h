// What products of strips need (tensor/strips.h) on AVX-512 with VNNI. See strip_scalar.h for what each operation
// means.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "tensor/dtype.h"

namespace quern::backend::cpu::QUERN_ISA {

struct Codes {
  __m512i v;
  static Codes load(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
  template <int kShift>
  Codes bits(uint8_t mask) const {
    __m512i shifted = v;
    if constexpr (kShift > 0) shifted = _mm512_slli_epi16(v, kShift);
    if constexpr (kShift < 0) shifted = _mm512_srli_epi16(v, -kShift);
    return {_mm512_and_si512(shifted, _mm512_set1_epi8(static_cast<char>(mask)))};
  }
  Codes operator|(Codes other) const { return {_mm512_or_si512(v, other.v)}; }
  Codes lookup(const uint8_t (&table)[16]) const {
    return {_mm512_shuffle_epi8(
        _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))), v)};
  }
};

struct Ints {
  __m512i v;
  static Ints zero() { return {_mm512_setzero_si512()}; }
  static Ints load(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
  static Ints load(const int8_t* p) {
    return {_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  Ints operator+(Ints other) const { return {_mm512_add_epi32(v, other.v)}; }
  Ints operator-(Ints other) const { return {_mm512_sub_epi32(v, other.v)}; }
  Ints operator*(Ints other) const { return {_mm512_mullo_epi32(v, other.v)}; }
  template <int kPower>
  Ints times() const {
    return {_mm512_slli_epi32(v, __builtin_ctz(kPower))};
  }
};

inline Ints paired(Ints low, Ints high) {
  return {_mm512_mask_blend_epi16(0xaaaaaaaa, low.v, _mm512_slli_epi32(high.v, 16))};
}
inline Ints dot_pairs(Ints sum, Ints pairs, const int16_t* x) {
  int32_t two;
  std::memcpy(&two, x, 4);
  return {_mm512_dpwssd_epi32(sum.v, pairs.v, _mm512_set1_epi32(two))};
}

template <int kZero>
inline constexpr int kZeroLeft = kZero;
template <int kZero>
inline Ints first_sum(const int32_t* minus_sum) {
  if constexpr (kZero == 0) return Ints::zero();
  return {_mm512_slli_epi32(_mm512_set1_epi32(*minus_sum), __builtin_ctz(kZero | 1 << 30))};
}
template <int kZero>
inline Codes ready(Codes codes) {
  return codes;
}
template <int kZero, int kMost, int kCount, int kRows>
inline void add_dots(Ints (&sums)[kRows], const Codes* quads, const int8_t* const (&x)[kRows]) {
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 8
    for (int q = 0; q < kCount; ++q) {
      int32_t four;
      std::memcpy(&four, x[row] + 4 * q, 4);
      sums[row].v = _mm512_dpbusd_epi32(sums[row].v, quads[q].v, _mm512_set1_epi32(four));
    }
  }
}
using Weights = Ints;
inline Weights weights_of(Ints weights) { return weights; }
template <int kZero, int kMost, int kCount, int kRows>
inline void add_weighed_dots(Ints (&sums)[kRows], const Codes* quads, const int8_t* const (&x)[kRows],
                             Weights weights) {
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row) {
    Ints products[1] = {Ints::zero()};
    add_dots<kZero, kMost, kCount, 1>(products, quads, {x[row]});
    sums[row] = sums[row] + products[0] * weights;
  }
}
template <int kRows>
inline constexpr int kRowsInTurn = 1;

struct Floats {
  __m512 v;
  static Floats zero() { return {_mm512_setzero_ps()}; }
  static Floats load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Floats load(const float16* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
  static Floats load(const bfloat16* p) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(
        _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16))};
  }
  static Floats load(const int8_t* p) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
  }
  static Floats broadcast(const float* p) { return {_mm512_set1_ps(*p)}; }
  static Floats from(Ints i) { return {_mm512_cvtepi32_ps(i.v)}; }
  Floats operator*(Floats other) const { return {_mm512_mul_ps(v, other.v)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
};
inline Floats multiply_add(Floats a, Floats b, Floats c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }

}  // namespace quern::backend::cpu::QUERN_ISA
