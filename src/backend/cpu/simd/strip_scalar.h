// What products of strips need (tensor/strips.h), in plain loops; this file says what each operation means.
#pragma once

#include <cstdint>
#include <cstring>

#include "tensor/dtype.h"

namespace quern::backend::cpu::QUERN_ISA {

// A plane or a quad: 64 bytes.
struct Codes {
  uint8_t v[64];
  static Codes load(const uint8_t* p) {
    Codes c;
    std::memcpy(c.v, p, 64);
    return c;
  }
  // Every byte shifted left (right where negative), and then `mask` of it.
  template <int kShift>
  Codes bits(uint8_t mask) const {
    Codes c;
    for (int i = 0; i < 64; ++i) {
      c.v[i] = static_cast<uint8_t>(
          (kShift > 0 ? v[i] << (kShift > 0 ? kShift : 0) : v[i] >> (kShift < 0 ? -kShift : 0)) & mask);
    }
    return c;
  }
  Codes operator|(Codes other) const {
    for (int i = 0; i < 64; ++i) other.v[i] |= v[i];
    return other;
  }
  // Codes below 16 to the entries of a table.
  Codes lookup(const uint8_t (&table)[16]) const {
    Codes c;
    for (int i = 0; i < 64; ++i) c.v[i] = table[v[i]];
    return c;
  }
};

// One number per row.
struct Ints {
  int32_t v[16];
  static Ints zero() { return {}; }
  static Ints load(const int8_t* p) {
    Ints i;
    for (int r = 0; r < 16; ++r) i.v[r] = p[r];
    return i;
  }
  Ints operator+(Ints other) const {
    for (int r = 0; r < 16; ++r) other.v[r] += v[r];
    return other;
  }
  Ints operator-(Ints other) const {
    for (int r = 0; r < 16; ++r) other.v[r] = v[r] - other.v[r];
    return other;
  }
  Ints operator*(Ints other) const {
    for (int r = 0; r < 16; ++r) other.v[r] *= v[r];
    return other;
  }
  template <int kPower>
  Ints times() const {
    Ints i;
    for (int r = 0; r < 16; ++r) i.v[r] = v[r] * kPower;
    return i;
  }
};

// Two numbers of 16 bits per row, and the sum of their products with two of x.
inline Ints paired(Ints low, Ints high) {
  for (int r = 0; r < 16; ++r)
    low.v[r] = static_cast<int32_t>((static_cast<uint32_t>(low.v[r]) & 0xffff) |
                                    static_cast<uint32_t>(high.v[r]) << 16);
  return low;
}
inline Ints dot_pairs(Ints sum, Ints pairs, const int16_t* x) {
  for (int r = 0; r < 16; ++r)
    sum.v[r] += static_cast<int16_t>(pairs.v[r] & 0xffff) * x[0] + (pairs.v[r] >> 16) * x[1];
  return sum;
}

// What ready() leaves of a zero, to be taken off its sums.
template <int kZero>
inline constexpr int kZeroLeft = kZero;
// Sums of products of codes less kZero (0 or a power of two) with x begin with first_sum, given less the sum of all x.
template <int kZero>
inline Ints first_sum(const int32_t* minus_sum) {
  Ints i;
  for (int32_t& each : i.v) each = *minus_sum * kZero;
  return i;
}
// Codes as they are multiplied.
template <int kZero>
inline Codes ready(Codes codes) {
  return codes;
}
// Adds the products of `kCount` quads of ready codes, none of more than kMost, with four of x each, to the sums of kRows
// rows of x.
template <int kZero, int kMost, int kCount, int kRows>
inline void add_dots(Ints (&sums)[kRows], const Codes* quads, const int8_t* const (&x)[kRows]) {
  for (int row = 0; row < kRows; ++row) {
    for (int q = 0; q < kCount; ++q) {
      for (int r = 0; r < 16; ++r) {
        for (int i = 0; i < 4; ++i) sums[row].v[r] += quads[q].v[4 * r + i] * x[row][4 * q + i];
      }
    }
  }
}
// The same times a weight of 8 bits for each row of the matrix.
using Weights = Ints;
inline Weights weights_of(Ints weights) { return weights; }
template <int kZero, int kMost, int kCount, int kRows>
inline void add_weighed_dots(Ints (&sums)[kRows], const Codes* quads, const int8_t* const (&x)[kRows],
                             Weights weights) {
  for (int row = 0; row < kRows; ++row) {
    Ints products[1] = {Ints::zero()};
    add_dots<kZero, kMost, kCount, 1>(products, quads, {x[row]});
    sums[row] = sums[row] + products[0] * weights;
  }
}
// Rows of x that take turns with each quad.
template <int kRows>
inline constexpr int kRowsInTurn = 1;

struct Floats {
  float v[16];
  static Floats zero() { return {}; }
  template <class T>
  static Floats load(const T* p) {
    Floats f;
    for (int r = 0; r < 16; ++r) f.v[r] = static_cast<float>(p[r]);
    return f;
  }
  static Floats broadcast(const float* p) {
    Floats f;
    for (float& each : f.v) each = *p;
    return f;
  }
  static Floats from(Ints i) {
    Floats f;
    for (int r = 0; r < 16; ++r) f.v[r] = static_cast<float>(i.v[r]);
    return f;
  }
  Floats operator*(Floats other) const {
    for (int r = 0; r < 16; ++r) other.v[r] *= v[r];
    return other;
  }
  void store(float* p) const { std::memcpy(p, v, sizeof v); }
};
// a*b + c, fused where the instruction set does that.
inline Floats multiply_add(Floats a, Floats b, Floats c) {
  for (int r = 0; r < 16; ++r) c.v[r] += a.v[r] * b.v[r];
  return c;
}

}  // namespace quern::backend::cpu::QUERN_ISA
