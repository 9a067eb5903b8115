// The SIMD facade without SIMD: vectors of one float, in portable C++. It states what each operation of the
// facade means; vec_avx2.h and vec_avx512.h (and a NEON one) offer the same names in their own namespace
// QUERN_ISA:
//   kWidth                    lanes of a Vec
//   Vec::load / store         f32, bf16 and f16 memory, unaligned; conversions round to nearest even, keep
//                             subnormals, and turn a NaN into a NaN. With FirstLanes only those lanes are
//                             touched.
//   + - * / fma sqrt abs      IEEE operations on each lane; fma may round twice here and once elsewhere
//   min max                   b when either operand is NaN
//   < select keep             lane-wise choice
//   round times_power_of_two  for exp
//   reciprocal                1/a within 1 ulp, for 1 <= a <= infinity
//   zip unzip                 pairs of neighbouring lanes
//   sum_lanes max_lanes       across lanes, as a balanced tree
//   DoubleLanes               kWidth sums in double
//   Words                     kWords lanes of 64 bits, for counter-based random numbers
// Mathematical functions are in vec_math.h.
#pragma once

#include <cmath>
#include <cstdint>

#include "tensor/dtype.h"

namespace quern::backend::cpu::QUERN_ISA {
inline constexpr int kWidth = 1;
}
#include "backend/cpu/simd/lanes.h"

namespace quern::backend::cpu::QUERN_ISA {

struct Vec {
  float v;

  Vec() = default;
  explicit Vec(float value) : v(value) {}

  template <class T>
  static Vec load(const T* p, AllLanes = {}) {
    return Vec(static_cast<float>(*p));
  }
  template <class T>
  static Vec load(const T* p, FirstLanes lanes) {
    return lanes.count == 0 ? Vec(0.0f) : load(p);
  }
  template <class T>
  void store(T* p, AllLanes = {}) const {
    *p = T(v);
  }
  template <class T>
  void store(T* p, FirstLanes lanes) const {
    if (lanes.count != 0) store(p);
  }
};

using Mask = bool;

inline Vec operator+(Vec a, Vec b) { return Vec(a.v + b.v); }
inline Vec operator-(Vec a, Vec b) { return Vec(a.v - b.v); }
inline Vec operator*(Vec a, Vec b) { return Vec(a.v * b.v); }
inline Vec operator/(Vec a, Vec b) { return Vec(a.v / b.v); }
inline Vec operator-(Vec a) { return Vec(-a.v); }
// a*b + c, and c - a*b. Without rounding between where the instruction set fuses; a library call per element
// would make this table useless as a fallback.
inline Vec fma(Vec a, Vec b, Vec c) { return Vec(a.v * b.v + c.v); }
inline Vec fnma(Vec a, Vec b, Vec c) { return Vec(c.v - a.v * b.v); }
inline Vec min(Vec a, Vec b) { return Vec(a.v < b.v ? a.v : b.v); }
inline Vec max(Vec a, Vec b) { return Vec(a.v > b.v ? a.v : b.v); }
inline Vec abs(Vec a) { return Vec(__builtin_fabsf(a.v)); }
inline Vec sqrt(Vec a) { return Vec(__builtin_sqrtf(a.v)); }

inline Vec reciprocal(Vec a) { return Vec(1.0f / a.v); }

inline Mask operator<(Vec a, Vec b) { return a.v < b.v; }
inline Vec select(Mask mask, Vec yes, Vec no) { return mask ? yes : no; }
// a in the lanes given, b in the others.
inline Vec keep(AllLanes, Vec a, Vec) { return a; }
inline Vec keep(FirstLanes lanes, Vec a, Vec b) { return lanes.count == 0 ? b : a; }

// To the nearest integer, ties to even. Precondition: |a| < 2^22.
inline Vec round(Vec a) {
  constexpr float kMagic = 0x1.8p23f;
  return Vec((a.v + kMagic) - kMagic);
}
// Of exp, below which it is 0: times_power_of_two reaches no further.
constexpr float kLeastExponent = -104.0f;
// a * 2^n, correctly rounded up to a double rounding among subnormals. Precondition: n is an integer in
// [-252, 252].
inline Vec times_power_of_two(Vec a, Vec n) {
  const int32_t whole = n.v == n.v ? static_cast<int32_t>(n.v) : 0;  // of NaN, a carries the NaN
  const int32_t half = whole >> 1;
  const auto power = [](int32_t e) { return std::bit_cast<float>((e + 127) << 23); };
  return Vec(a.v * power(half) * power(whole - half));
}

// Memory order a0 b0 a1 b1 ...: unzip(first half, second half) gives the even and odd elements, zip puts them
// back.
inline void unzip(Vec first, Vec second, Vec& even, Vec& odd) {
  even = first;
  odd = second;
}
inline void zip(Vec even, Vec odd, Vec& first, Vec& second) {
  first = even;
  second = odd;
}

inline float sum_lanes(Vec a) { return a.v; }
inline float max_lanes(Vec a) { return a.v; }

// One sum in double per lane.
struct DoubleLanes {
  double v = 0.0;
  void add(Vec a) { v += a.v; }
  void add_square(Vec a) { v += static_cast<double>(a.v) * a.v; }
  void store(double* p) const { *p = v; }
};

inline constexpr int kWords = 1;
struct Words {
  uint64_t v;
  static Words broadcast(uint64_t value) { return {value}; }
  static Words count_from(uint64_t first) { return {first}; }  // first, first + 1, ...
};
inline Words operator^(Words a, Words b) { return {a.v ^ b.v}; }
inline Words upper_half(Words a) { return {a.v >> 32}; }
// The full product of the lower halves.
inline Words multiply(Words a, Words b) { return {(a.v & 0xffffffffu) * (b.v & 0xffffffffu)}; }
// The lower half of `upper` above that of `lower`.
inline Words join_lower(Words lower, Words upper) { return {(lower.v & 0xffffffffu) | (upper.v << 32)}; }
// Stores the 32-bit halves of even[0], odd[0], even[1], odd[1], ..., the lower half of each first.
inline void store_zipped(uint32_t* p, Words even, Words odd) {
  p[0] = static_cast<uint32_t>(even.v);
  p[1] = static_cast<uint32_t>(even.v >> 32);
  p[2] = static_cast<uint32_t>(odd.v);
  p[3] = static_cast<uint32_t>(odd.v >> 32);
}
// Where the words at p are at least `bound`.
inline Mask at_least(const uint32_t* p, uint32_t bound) { return *p >= bound; }

}  // namespace quern::backend::cpu::QUERN_ISA

#include "backend/cpu/simd/vec_math.h"
