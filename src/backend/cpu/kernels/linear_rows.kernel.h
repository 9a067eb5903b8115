// y = x w^T for inference. Every element is one fused multiply-add per vector of k, in order, and one sum of
// lanes: nothing depends on how many rows there are or who their neighbours are.
#pragma once

#include "backend/cpu/kernels/support.h"
#include "backend/cpu/kernels/tile_product.h"
#include "backend/cpu/scratch.h"

namespace quern::backend::cpu::QUERN_ISA {

// Sums kept in registers: rows of x by rows of w.
inline constexpr int kRowsOfX = kWidth == 16 ? 6 : 3;
inline constexpr int kRowsOfW = kWidth == 16 ? 4 : 3;
// Rows of x that stay in cache while w streams past.
inline constexpr int64_t kRowsPerPass = 8 * kRowsOfX;

// Rows of x, widened, against rows of w, to rows of y.
template <class T, class W>
struct RowsProduct {
  int64_t n, k;
  const float* x;  // rows of x_row floats, zero beyond k
  int64_t x_row;
  const W* w;         // [n, k]
  const float* bias;  // [n] or null
  T* y;               // rows of n

  // Rows [r, r + kX) of x and [j, j + kW) of w.
  template <int kX, int kW>
  void block(int64_t r, int64_t j) const {
    Vec sum[kX][kW];
    for (int a = 0; a < kX; ++a) {
      for (int b = 0; b < kW; ++b) sum[a][b] = Vec(0.0f);
    }
    for_lanes(k, [&](int64_t i, auto lanes) {
      Vec weights[kW];
      for (int b = 0; b < kW; ++b) {
        weights[b] = Vec::load(w + (j + b) * k + i, lanes);
        __builtin_prefetch(w + (j + b + kW) * k + i);  // the next rows: short ones outrun the hardware's
      }
      for (int a = 0; a < kX; ++a) {
        const Vec row = Vec::load(x + (r + a) * x_row + i);
        for (int b = 0; b < kW; ++b) sum[a][b] = fma(row, weights[b], sum[a][b]);
      }
    });
    for (int a = 0; a < kX; ++a) {
      for (int b = 0; b < kW; ++b) {
        const float total = sum_lanes(sum[a][b]) + (bias == nullptr ? 0.0f : bias[j + b]);
        Vec(total).store(y + (r + a) * n + j + b, FirstLanes{1});
      }
    }
  }

  // Finds the instantiation for the rows at hand.
  template <int kX, int kW>
  void edge(int64_t r, int64_t rows, int64_t j, int64_t columns) const {
    if constexpr (kX > 1) {
      if (rows < kX) return edge<kX - 1, kW>(r, rows, j, columns);
    }
    if constexpr (kW > 1) {
      if (columns < kW) return edge<kX, kW - 1>(r, rows, j, columns);
    }
    block<kX, kW>(r, j);
  }

  void run(int64_t rows, int64_t begin, int64_t end) const {
    for (int64_t j = begin; j < end; j += kRowsOfW) {
      for (int64_t r = 0; r < rows; r += kRowsOfX) edge<kRowsOfX, kRowsOfW>(r, rows - r, j, end - j);
    }
  }
};

template <class T, class W>
inline void linear_rows_of(const LinearRowsArgs& a) {
  const int64_t x_row = (a.k + kWidth - 1) / kWidth * kWidth;
  parallel_for(a.n, kProductGrain / (a.m * a.k + 1) + 1, [&](int64_t begin, int64_t end) {
    const int64_t pass = a.m < kRowsPerPass ? a.m : kRowsPerPass;
    float* x = static_cast<float*>(scratch(pass * x_row * 4));
    for (int64_t r = 0; r < a.m; r += pass) {
      const int64_t rows = a.m - r < pass ? a.m - r : pass;
      widen_rows(static_cast<const T*>(a.x) + r * a.k, a.k, rows, a.k, Vec(1.0f), x, x_row);
      RowsProduct<T, W>{a.n,
                        a.k,
                        x,
                        x_row,
                        static_cast<const W*>(a.w),
                        static_cast<const float*>(a.bias),
                        static_cast<T*>(a.y) + r * a.n}
          .run(rows, begin, end);
    }
  });
}

inline bool linear_rows(const LinearRowsArgs& a) {
  bool done = false;
  visit_dtype(a.dtype,
              [&]<class T>() { done = visit_dtype(a.w_dtype, [&]<class W>() { linear_rows_of<T, W>(a); }); });
  return done;
}

}  // namespace quern::backend::cpu::QUERN_ISA
