// The SIMD facade on AVX2, FMA and F16C: 8 lanes. See vec_scalar.h for what each operation means.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "tensor/dtype.h"

namespace quern::backend::cpu::QUERN_ISA {
inline constexpr int kWidth = 8;
}
#include "backend/cpu/simd/lanes.h"

namespace quern::backend::cpu::QUERN_ISA {

struct Vec {
  __m256 v;

  Vec() = default;
  Vec(__m256 value) : v(value) {}
  explicit Vec(float value) : v(_mm256_set1_ps(value)) {}

  static __m256i mask(FirstLanes lanes) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes.count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Vec from_bf16(__m128i bits) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
  __m128i to_bf16() const {
    const __m256i u = _mm256_castps_si256(v);
    const __m256i upper = _mm256_srli_epi32(u, 16);
    const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    const __m256i rounded =
        _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(u, _mm256_set1_epi32(0x7fff)), odd), 16);
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    const __m256i chosen = _mm256_blendv_epi8(rounded, quiet, nan);
    return _mm_packus_epi32(_mm256_castsi256_si128(chosen), _mm256_extracti128_si256(chosen, 1));
  }
  __m128i to_f16() const { return _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

  // AVX2 has no masked access to 16-bit elements: tails go through a buffer.
  template <class T>
  static __m128i load_16bit(const T* p, FirstLanes lanes) {
    alignas(16) uint16_t bits[kWidth] = {};
    for (int i = 0; i < lanes.count; ++i) bits[i] = p[i].bits;
    return _mm_load_si128(reinterpret_cast<const __m128i*>(bits));
  }
  template <class T>
  static void store_16bit(T* p, __m128i value, FirstLanes lanes) {
    alignas(16) uint16_t bits[kWidth];
    _mm_store_si128(reinterpret_cast<__m128i*>(bits), value);
    for (int i = 0; i < lanes.count; ++i) p[i].bits = bits[i];
  }

  static Vec load(const float* p, AllLanes = {}) { return _mm256_loadu_ps(p); }
  static Vec load(const float* p, FirstLanes lanes) { return _mm256_maskload_ps(p, mask(lanes)); }
  static Vec load(const bfloat16* p, AllLanes = {}) {
    return from_bf16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Vec load(const bfloat16* p, FirstLanes lanes) { return from_bf16(load_16bit(p, lanes)); }
  static Vec load(const float16* p, AllLanes = {}) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Vec load(const float16* p, FirstLanes lanes) { return _mm256_cvtph_ps(load_16bit(p, lanes)); }
  static Vec load(const int8_t* p, AllLanes = {}) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }

  void store(float* p, AllLanes = {}) const { _mm256_storeu_ps(p, v); }
  void store(float* p, FirstLanes lanes) const { _mm256_maskstore_ps(p, mask(lanes), v); }
  void store(bfloat16* p, AllLanes = {}) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), to_bf16()); }
  void store(bfloat16* p, FirstLanes lanes) const { store_16bit(p, to_bf16(), lanes); }
  void store(float16* p, AllLanes = {}) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), to_f16()); }
  void store(float16* p, FirstLanes lanes) const { store_16bit(p, to_f16(), lanes); }
};

struct Mask {
  __m256 v;
};

inline Vec operator+(Vec a, Vec b) { return _mm256_add_ps(a.v, b.v); }
inline Vec operator-(Vec a, Vec b) { return _mm256_sub_ps(a.v, b.v); }
inline Vec operator*(Vec a, Vec b) { return _mm256_mul_ps(a.v, b.v); }
inline Vec operator/(Vec a, Vec b) { return _mm256_div_ps(a.v, b.v); }
inline Vec operator-(Vec a) { return _mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f)); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a.v, b.v, c.v); }
inline Vec fnma(Vec a, Vec b, Vec c) { return _mm256_fnmadd_ps(a.v, b.v, c.v); }
inline Vec min(Vec a, Vec b) { return _mm256_min_ps(a.v, b.v); }
inline Vec max(Vec a, Vec b) { return _mm256_max_ps(a.v, b.v); }
inline Vec abs(Vec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v); }
inline Vec sqrt(Vec a) { return _mm256_sqrt_ps(a.v); }

inline Vec reciprocal(Vec a) { return Vec(1.0f) / a; }

inline Mask operator<(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
inline Vec select(Mask mask, Vec yes, Vec no) { return _mm256_blendv_ps(no.v, yes.v, mask.v); }
inline Vec keep(AllLanes, Vec a, Vec) { return a; }
inline Vec keep(FirstLanes lanes, Vec a, Vec b) {
  return select(Mask{_mm256_castsi256_ps(Vec::mask(lanes))}, a, b);
}

inline Vec round(Vec a) { return _mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
// Of exp, below which it is 0: times_power_of_two reaches no further.
constexpr float kLeastExponent = -104.0f;
inline Vec times_power_of_two(Vec a, Vec n) {
  const auto power = [](__m256i e) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(e, _mm256_set1_epi32(127)), 23));
  };
  const __m256i whole = _mm256_cvtps_epi32(n.v), half = _mm256_srai_epi32(whole, 1);
  return _mm256_mul_ps(_mm256_mul_ps(a.v, power(half)), power(_mm256_sub_epi32(whole, half)));
}

inline void unzip(Vec first, Vec second, Vec& even, Vec& odd) {
  const __m256 low = _mm256_permute2f128_ps(first.v, second.v, 0x20);
  const __m256 high = _mm256_permute2f128_ps(first.v, second.v, 0x31);
  even = _mm256_shuffle_ps(low, high, _MM_SHUFFLE(2, 0, 2, 0));
  odd = _mm256_shuffle_ps(low, high, _MM_SHUFFLE(3, 1, 3, 1));
}
inline void zip(Vec even, Vec odd, Vec& first, Vec& second) {
  const __m256 low = _mm256_unpacklo_ps(even.v, odd.v), high = _mm256_unpackhi_ps(even.v, odd.v);
  first = _mm256_permute2f128_ps(low, high, 0x20);
  second = _mm256_permute2f128_ps(low, high, 0x31);
}

inline float sum_lanes(Vec a) {
  const __m128 q = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  const __m128 d = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}
inline float max_lanes(Vec a) {
  const __m128 q = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  const __m128 d = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d)));
}

struct DoubleLanes {
  __m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();
  void add(Vec a) {
    low = _mm256_add_pd(low, _mm256_cvtps_pd(_mm256_castps256_ps128(a.v)));
    high = _mm256_add_pd(high, _mm256_cvtps_pd(_mm256_extractf128_ps(a.v, 1)));
  }
  void add_square(Vec a) {
    const __m256d l = _mm256_cvtps_pd(_mm256_castps256_ps128(a.v));
    const __m256d h = _mm256_cvtps_pd(_mm256_extractf128_ps(a.v, 1));
    low = _mm256_fmadd_pd(l, l, low);
    high = _mm256_fmadd_pd(h, h, high);
  }
  void store(double* p) const {
    _mm256_storeu_pd(p, low);
    _mm256_storeu_pd(p + 4, high);
  }
};

inline constexpr int kWords = 4;
struct Words {
  __m256i v;
  static Words broadcast(uint64_t value) { return {_mm256_set1_epi64x(static_cast<int64_t>(value))}; }
  static Words count_from(uint64_t first) {
    return {_mm256_add_epi64(broadcast(first).v, _mm256_setr_epi64x(0, 1, 2, 3))};
  }
};
inline Words operator^(Words a, Words b) { return {_mm256_xor_si256(a.v, b.v)}; }
inline Words upper_half(Words a) { return {_mm256_srli_epi64(a.v, 32)}; }
inline Words multiply(Words a, Words b) { return {_mm256_mul_epu32(a.v, b.v)}; }
inline Words join_lower(Words lower, Words upper) {
  return {_mm256_blend_epi32(lower.v, _mm256_slli_epi64(upper.v, 32), 0xaa)};
}
inline void store_zipped(uint32_t* p, Words even, Words odd) {
  const __m256i low = _mm256_unpacklo_epi64(even.v, odd.v), high = _mm256_unpackhi_epi64(even.v, odd.v);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute2x128_si256(low, high, 0x20));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), _mm256_permute2x128_si256(low, high, 0x31));
}
inline Mask at_least(const uint32_t* p, uint32_t bound) {
  const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i larger = _mm256_max_epu32(words, _mm256_set1_epi32(static_cast<int32_t>(bound)));
  return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(words, larger))};
}

}  // namespace quern::backend::cpu::QUERN_ISA

#include "backend/cpu/simd/vec_math.h"
