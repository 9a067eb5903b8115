// Products of small f32 matrices that lie in cache: the inner loops of attention.
#pragma once

#include <cstdint>

namespace quern::backend::cpu::QUERN_ISA {

// C[rows, n] (+)= A[rows, k]·B[k, n], where n is `vectors` whole vectors and A may be stored either way
// round. Every element of C takes its k products in order, one fma each, so that it depends on its own row
// and column alone; and not on whether B was widened before.
template <class T>
struct ProductWith {
  const float* a;
  int64_t a_row, a_step;  // A[i, j] is a[i * a_row + j * a_step]
  const T* b;
  int64_t b_row;
  float* c;
  int64_t c_row;
  bool accumulate;
};
using TileProduct = ProductWith<float>;

// The block of C kept in registers: 24 of the 32 of AVX-512, 12 of the 16 of AVX2.
inline constexpr int kBlockRows = 6;
inline constexpr int kBlockVectors = kWidth == 16 ? 4 : 2;

template <int kRows, int kVectors, class T>
inline void block_product(const ProductWith<T>& t, int64_t k) {
  Vec sum[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      sum[r][v] = t.accumulate ? Vec::load(t.c + r * t.c_row + v * kWidth) : Vec(0.0f);
    }
  }
  for (int64_t j = 0; j < k; ++j) {
    const float* a = t.a + j * t.a_step;
    const T* b = t.b + j * t.b_row;
    Vec column[kVectors];
    for (int v = 0; v < kVectors; ++v) column[v] = Vec::load(b + v * kWidth);
    for (int r = 0; r < kRows; ++r) {
      const Vec x(a[r * t.a_row]);
      for (int v = 0; v < kVectors; ++v) sum[r][v] = fma(x, column[v], sum[r][v]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) sum[r][v].store(t.c + r * t.c_row + v * kWidth);
  }
}

// Finds the instantiation for the rows and vectors at hand: 1 <= rows <= kRows, 1 <= vectors <= kVectors.
template <int kRows, int kVectors, class T>
inline void edge_product(const ProductWith<T>& t, int64_t rows, int64_t vectors, int64_t k) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return edge_product<kRows - 1, kVectors>(t, rows, vectors, k);
  }
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return edge_product<kRows, kVectors - 1>(t, rows, vectors, k);
  }
  block_product<kRows, kVectors>(t, k);
}

template <class T = float>
inline void tile_product(const ProductWith<T>& t, int64_t rows, int64_t vectors, int64_t k) {
  for (int64_t v = 0; v < vectors; v += kBlockVectors) {
    for (int64_t r = 0; r < rows; r += kBlockRows) {
      ProductWith<T> block = t;
      block.a += r * t.a_row;
      block.b += v * kWidth;
      block.c += r * t.c_row + v * kWidth;
      const int64_t block_rows = rows - r < kBlockRows ? rows - r : kBlockRows;
      const int64_t block_vectors = vectors - v < kBlockVectors ? vectors - v : kBlockVectors;
      edge_product<kBlockRows, kBlockVectors>(block, block_rows, block_vectors, k);
    }
  }
}

// Rows of `cols` elements, widened and times `scale`, into rows of `to_row` floats: a multiple of kWidth; the
// rest of the last vector is zero.
template <class T>
inline void widen_rows(const T* from, int64_t from_row, int64_t rows, int64_t cols, Vec scale, float* to,
                       int64_t to_row) {
  for (int64_t r = 0; r < rows; ++r) {
    for_lanes(cols, [&](int64_t i, auto lanes) {
      (Vec::load(from + r * from_row + i, lanes) * scale).store(to + r * to_row + i);
    });
  }
}

// Transposes a square of vectors: each stage moves one bit of the column number into the row number.
inline void transpose(Vec (&square)[kWidth]) {
  for (int stage = 1; stage < kWidth; stage *= 2) {
    Vec next[kWidth];
    for (int i = 0; i < kWidth / 2; ++i) zip(square[i], square[i + kWidth / 2], next[2 * i], next[2 * i + 1]);
    for (int i = 0; i < kWidth; ++i) square[i] = next[i];
  }
}

// The transpose of rows of `cols` elements, widened: to[c * to_row + r]. `rows` is rounded up to whole
// vectors; those not given are zero.
template <class T>
inline void widen_transposed(const T* from, int64_t from_row, int64_t rows, int64_t cols, float* to,
                             int64_t to_row) {
  for (int64_t r = 0; r < rows; r += kWidth) {
    for_lanes(cols, [&](int64_t c, auto lanes) {
      Vec square[kWidth];
      for (int i = 0; i < kWidth; ++i) {
        square[i] = r + i < rows ? Vec::load(from + (r + i) * from_row + c, lanes) : Vec(0.0f);
      }
      transpose(square);
      for (int i = 0; i < lanes.count; ++i) square[i].store(to + (c + i) * to_row + r);
    });
  }
}

}  // namespace quern::backend::cpu::QUERN_ISA
