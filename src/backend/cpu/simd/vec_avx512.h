// The SIMD facade on AVX-512 (F, BW, DQ, VL): 16 lanes. See vec_scalar.h for what each operation means.
// The native conversion to bf16 (vcvtneps2bf16) is not used: it flushes subnormals to zero.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "tensor/dtype.h"

namespace quern::backend::cpu::QUERN_ISA {
inline constexpr int kWidth = 16;
inline constexpr int16_t kOddWords[16] = {1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31};
}  // namespace quern::backend::cpu::QUERN_ISA
#include "backend/cpu/simd/lanes.h"

namespace quern::backend::cpu::QUERN_ISA {

struct Vec {
  __m512 v;

  Vec() = default;
  Vec(__m512 value) : v(value) {}
  explicit Vec(float value) : v(_mm512_set1_ps(value)) {}

  static __mmask16 mask(FirstLanes lanes) { return static_cast<__mmask16>((1u << lanes.count) - 1u); }
  static Vec from_bf16(__m256i bits) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
  __m256i to_bf16() const {
    const __m512i u = _mm512_castps_si512(v);
    const __mmask16 odd = _mm512_test_epi32_mask(u, _mm512_set1_epi32(0x10000));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    __m512i r = _mm512_add_epi32(u, _mm512_set1_epi32(0x7fff));
    r = _mm512_mask_add_epi32(r, odd, r, _mm512_set1_epi32(1));
    r = _mm512_mask_or_epi32(r, nan, u, _mm512_set1_epi32(0x400000));
    const __m512i upper_halves =
        _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(kOddWords)));
    return _mm512_castsi512_si256(_mm512_permutexvar_epi16(upper_halves, r));
  }
  __m256i to_f16() const { return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

  static Vec load(const float* p, AllLanes = {}) { return _mm512_loadu_ps(p); }
  static Vec load(const float* p, FirstLanes lanes) { return _mm512_maskz_loadu_ps(mask(lanes), p); }
  static Vec load(const bfloat16* p, AllLanes = {}) {
    return from_bf16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Vec load(const bfloat16* p, FirstLanes lanes) {
    return from_bf16(_mm256_maskz_loadu_epi16(mask(lanes), p));
  }
  static Vec load(const float16* p, AllLanes = {}) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Vec load(const float16* p, FirstLanes lanes) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask(lanes), p));
  }
  static Vec load(const int8_t* p, AllLanes = {}) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }

  void store(float* p, AllLanes = {}) const { _mm512_storeu_ps(p, v); }
  void store(float* p, FirstLanes lanes) const { _mm512_mask_storeu_ps(p, mask(lanes), v); }
  void store(bfloat16* p, AllLanes = {}) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), to_bf16());
  }
  void store(bfloat16* p, FirstLanes lanes) const { _mm256_mask_storeu_epi16(p, mask(lanes), to_bf16()); }
  void store(float16* p, AllLanes = {}) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), to_f16());
  }
  void store(float16* p, FirstLanes lanes) const { _mm256_mask_storeu_epi16(p, mask(lanes), to_f16()); }
};

using Mask = __mmask16;

inline Vec operator+(Vec a, Vec b) { return _mm512_add_ps(a.v, b.v); }
inline Vec operator-(Vec a, Vec b) { return _mm512_sub_ps(a.v, b.v); }
inline Vec operator*(Vec a, Vec b) { return _mm512_mul_ps(a.v, b.v); }
inline Vec operator/(Vec a, Vec b) { return _mm512_div_ps(a.v, b.v); }
inline Vec operator-(Vec a) { return _mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f)); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a.v, b.v, c.v); }
inline Vec fnma(Vec a, Vec b, Vec c) { return _mm512_fnmadd_ps(a.v, b.v, c.v); }
inline Vec min(Vec a, Vec b) { return _mm512_min_ps(a.v, b.v); }
inline Vec max(Vec a, Vec b) { return _mm512_max_ps(a.v, b.v); }
inline Vec abs(Vec a) { return _mm512_abs_ps(a.v); }
inline Vec sqrt(Vec a) { return _mm512_sqrt_ps(a.v); }

// vrcp14ps and a Newton step, which is less than half the time of a division; the step would make 1/infinity
// a NaN.
inline Vec reciprocal(Vec a) {
  const __m512 r = _mm512_rcp14_ps(a.v);
  const __m512 error = _mm512_fnmadd_ps(a.v, r, _mm512_set1_ps(1.0f));
  const __mmask16 finite = _mm512_cmp_ps_mask(a.v, _mm512_set1_ps(__builtin_inff()), _CMP_LT_OQ);
  return _mm512_mask_fmadd_ps(r, finite, error, r);
}

inline Mask operator<(Vec a, Vec b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ); }
inline Vec select(Mask mask, Vec yes, Vec no) { return _mm512_mask_blend_ps(mask, no.v, yes.v); }
inline Vec keep(AllLanes, Vec a, Vec) { return a; }
inline Vec keep(FirstLanes lanes, Vec a, Vec b) { return select(Vec::mask(lanes), a, b); }

inline Vec round(Vec a) { return _mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
// Of exp, below which it is 0. What is rounded to 0 from nearby takes a hundred times as long as what is far below, where
// softmax and attention meet the -inf of a mask.
constexpr float kLeastExponent = -1000.0f;
inline Vec times_power_of_two(Vec a, Vec n) { return _mm512_scalef_ps(a.v, n.v); }

inline void unzip(Vec first, Vec second, Vec& even, Vec& odd) {
  const __m512i at = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  even = _mm512_permutex2var_ps(first.v, at, second.v);
  odd = _mm512_permutex2var_ps(first.v, _mm512_add_epi32(at, _mm512_set1_epi32(1)), second.v);
}
inline void zip(Vec even, Vec odd, Vec& first, Vec& second) {
  const __m512i at = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  first = _mm512_permutex2var_ps(even.v, at, odd.v);
  second = _mm512_permutex2var_ps(even.v, _mm512_add_epi32(at, _mm512_set1_epi32(8)), odd.v);
}

inline __m256 lower_half(Vec a) { return _mm512_castps512_ps256(a.v); }
inline __m256 upper_half(Vec a) { return _mm512_extractf32x8_ps(a.v, 1); }

inline float sum_lanes(Vec a) {
  const __m256 s = _mm256_add_ps(lower_half(a), upper_half(a));
  const __m128 q = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
  const __m128 d = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}
inline float max_lanes(Vec a) {
  const __m256 s = _mm256_max_ps(lower_half(a), upper_half(a));
  const __m128 q = _mm_max_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
  const __m128 d = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d)));
}

struct DoubleLanes {
  __m512d low = _mm512_setzero_pd(), high = _mm512_setzero_pd();
  void add(Vec a) {
    low = _mm512_add_pd(low, _mm512_cvtps_pd(lower_half(a)));
    high = _mm512_add_pd(high, _mm512_cvtps_pd(upper_half(a)));
  }
  void add_square(Vec a) {
    const __m512d l = _mm512_cvtps_pd(lower_half(a)), h = _mm512_cvtps_pd(upper_half(a));
    low = _mm512_fmadd_pd(l, l, low);
    high = _mm512_fmadd_pd(h, h, high);
  }
  void store(double* p) const {
    _mm512_storeu_pd(p, low);
    _mm512_storeu_pd(p + 8, high);
  }
};

inline constexpr int kWords = 8;
struct Words {
  __m512i v;
  static Words broadcast(uint64_t value) { return {_mm512_set1_epi64(static_cast<int64_t>(value))}; }
  static Words count_from(uint64_t first) {
    return {_mm512_add_epi64(broadcast(first).v, _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7))};
  }
};
inline Words operator^(Words a, Words b) { return {_mm512_xor_si512(a.v, b.v)}; }
inline Words upper_half(Words a) { return {_mm512_srli_epi64(a.v, 32)}; }
inline Words multiply(Words a, Words b) { return {_mm512_mul_epu32(a.v, b.v)}; }
inline Words join_lower(Words lower, Words upper) {
  return {_mm512_mask_shuffle_epi32(lower.v, 0xaaaa, upper.v, _MM_PERM_CCAA)};
}
inline void store_zipped(uint32_t* p, Words even, Words odd) {
  const __m512i at = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
  _mm512_storeu_si512(p, _mm512_permutex2var_epi64(even.v, at, odd.v));
  _mm512_storeu_si512(p + 16,
                      _mm512_permutex2var_epi64(even.v, _mm512_add_epi64(at, _mm512_set1_epi64(4)), odd.v));
}
inline Mask at_least(const uint32_t* p, uint32_t bound) {
  return _mm512_cmpge_epu32_mask(_mm512_loadu_si512(p), _mm512_set1_epi32(static_cast<int32_t>(bound)));
}

}  // namespace quern::backend::cpu::QUERN_ISA

#include "backend/cpu/simd/vec_math.h"
