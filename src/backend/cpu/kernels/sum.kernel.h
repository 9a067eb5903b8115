// Sums over rows, and over everything.
#pragma once

#include "backend/cpu/kernels/support.h"

namespace quern::backend::cpu::QUERN_ISA {

// Threads take columns, so that each adds the rows in order; four rows at a time spare three visits of out.
template <class T>
inline void sum_rows_columns(const SumRowsArgs& a, int64_t begin, int64_t end) {
  const T* x = static_cast<const T*>(a.x) + begin;
  float* out = static_cast<float*>(a.out) + begin;
  if (!a.accumulate) {
    for_lanes(end - begin, [&](int64_t c, auto lanes) { Vec(0.0f).store(out + c, lanes); });
  }
  int64_t r = 0;
  for (; r + 4 <= a.rows; r += 4) {
    const T* row = x + r * a.cols;
    for_lanes(end - begin, [&](int64_t c, auto lanes) {
      Vec total = Vec::load(out + c, lanes);
      for (int k = 0; k < 4; ++k) total = total + Vec::load(row + k * a.cols + c, lanes);
      total.store(out + c, lanes);
    });
  }
  for (; r < a.rows; ++r) {
    for_lanes(end - begin, [&](int64_t c, auto lanes) {
      (Vec::load(out + c, lanes) + Vec::load(x + r * a.cols + c, lanes)).store(out + c, lanes);
    });
  }
}

inline bool sum_rows(const SumRowsArgs& a) {
  return visit_dtype(a.dtype, [&]<class T>() {
    parallel_for(a.cols, row_grain(kLightGrain, a.rows),
                 [&](int64_t begin, int64_t end) { sum_rows_columns<T>(a, begin, end); });
  });
}

// Element i goes to sum i mod kSums: the same order for every instruction set.
template <class T>
inline double sum_chunk(const T* x, int64_t count, bool squared) {
  constexpr int kSums = 32, kVecs = kSums / kWidth;
  DoubleLanes lanes_of[kVecs];
  const auto add = [&](const T* group) {
    for (int k = 0; k < kVecs; ++k) {
      const Vec v = Vec::load(group + k * kWidth);
      squared ? lanes_of[k].add_square(v) : lanes_of[k].add(v);
    }
  };
  int64_t i = 0;
  for (; i + kSums <= count; i += kSums) add(x + i);
  T rest[kSums] = {};
  for (int64_t j = i; j < count; ++j) rest[j - i] = x[j];
  add(rest);
  double sums[kSums];
  for (int k = 0; k < kVecs; ++k) lanes_of[k].store(sums + k * kWidth);
  double total = 0.0;
  for (int k = 0; k < kSums; ++k) total += sums[k];
  return total;
}

inline bool sum(const SumArgs& a) {
  constexpr int64_t kMaxChunks = 256, kMinChunk = 4096;
  const int64_t even = (a.count + kMaxChunks - 1) / kMaxChunks;
  const int64_t size = even > kMinChunk ? even : kMinChunk;
  const int64_t chunks = (a.count + size - 1) / size;
  double partial[kMaxChunks];
  const bool done = visit_dtype(a.dtype, [&]<class T>() {
    parallel_for(chunks, row_grain(kLightGrain, size), [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        const int64_t count = a.count - k * size < size ? a.count - k * size : size;
        partial[k] = sum_chunk(static_cast<const T*>(a.x) + k * size, count, a.squared);
      }
    });
  });
  if (!done) return false;
  *a.out = 0.0;
  for (int64_t k = 0; k < chunks; ++k) *a.out += partial[k];
  return true;
}

}  // namespace quern::backend::cpu::QUERN_ISA
