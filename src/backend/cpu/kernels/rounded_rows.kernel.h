// Rows of x rounded to 8 bits, for products with block-quantised matrices: 32 columns to a scale, or 256 where the
// matrix shares its own among as many (tensor/strips.h). Sums are of the codes: what zeros and mins of the other factor
// multiply.
#pragma once

#include "backend/cpu/kernels/support.h"
#include "tensor/strips.h"

namespace quern::backend::cpu::QUERN_ISA {

struct alignas(64) RoundedGroup {
  static constexpr int kColumns = kStripGroup;
  int8_t codes[kColumns];
  float scale;
  float scaled_sums[3];   // scale times the sum of both halves, of the first 16, of the others
  int32_t minus_sums[3];  // less the sum of the same
};

struct alignas(64) RoundedSuper {
  static constexpr int kColumns = kStripSuper;
  int8_t codes[kColumns];
  int16_t sums[kColumns / 16];       // of 16 columns each
  int16_t wide_sums[kColumns / 32];  // of 32
  float scale;
};

template <StripFormat F>
struct RoundedOf {
  using type = RoundedGroup;
};
template <StripFormat F>
requires(rounded_columns(F) == kStripSuper) struct RoundedOf<F> {
  using type = RoundedSuper;
};
// What meets strips of a format.
template <StripFormat F>
using Rounded = typename RoundedOf<F>::type;

// `count` rows in memory. They lie an odd number of cache lines apart: a power of two would put the same columns of all of
// them in one set of the L1 cache.
struct RoundedRows {
  char* memory;
  int64_t columns;
  int64_t row_bytes;
  int64_t count;

  template <class R>
  static int64_t bytes_of_row(int64_t columns) {
    return (columns / R::kColumns * static_cast<int64_t>(sizeof(R) / 64) | 1) * 64;
  }
  template <class R>
  R* row(int64_t r) const {
    return reinterpret_cast<R*>(memory + r * row_bytes);
  }
  RoundedRows from(int64_t r, int64_t rows) const {
    return {memory + r * row_bytes, columns, row_bytes, rows};
  }
};

// Fills codes and the scale. A NaN or an infinity among x makes the scale a NaN: it spoils its row, as it would in exact
// arithmetic.
template <class R, class T>
inline void round_columns(const T* x, R& to) {
  alignas(64) float values[R::kColumns];
  Vec largest(0.0f), poison(0.0f);
  for (int i = 0; i < R::kColumns; i += kWidth) {
    const Vec v = Vec::load(x + i);
    v.store(values + i);
    largest = max(abs(v), largest);
    poison = fma(v, Vec(0.0f), poison);
  }
  const float most = max_lanes(largest);
  to.scale = most / 127.0f + sum_lanes(poison);
  const float inverse = most > 0.0f && most <= 0x1.fffffep127f ? 127.0f / most : 0.0f;
  for (int i = 0; i < R::kColumns; ++i) {
    // Adding this rounds to the nearest, ties to even, in the lowest bits; of a NaN they are anything.
    const float rounded = values[i] * inverse + 0x1.8p23f;
    to.codes[i] = static_cast<int8_t>(__builtin_bit_cast(int32_t, rounded) & 0xff);
  }
}

inline int32_t sum_of_16(const int8_t* codes) {
  int32_t sum = 0;
  for (int i = 0; i < 16; ++i) sum += codes[i];
  return sum;
}

inline void fill_sums(RoundedGroup& to) {
  const int32_t halves[2] = {sum_of_16(to.codes), sum_of_16(to.codes + 16)};
  const int32_t all[3] = {halves[0] + halves[1], halves[0], halves[1]};
  for (int i = 0; i < 3; ++i) {
    to.scaled_sums[i] = to.scale * static_cast<float>(all[i]);
    to.minus_sums[i] = -all[i];
  }
}

inline void fill_sums(RoundedSuper& to) {
  for (int i = 0; i < 16; ++i) to.sums[i] = static_cast<int16_t>(sum_of_16(to.codes + 16 * i));
  for (int i = 0; i < 8; ++i) to.wide_sums[i] = static_cast<int16_t>(to.sums[2 * i] + to.sums[2 * i + 1]);
}

// x [columns] to one row.
template <class R, class T>
inline void round_row(const T* x, int64_t columns, R* to) {
  for (int64_t i = 0; i < columns; i += R::kColumns, ++to) {
    round_columns(x + i, *to);
    fill_sums(*to);
  }
}

}  // namespace quern::backend::cpu::QUERN_ISA
