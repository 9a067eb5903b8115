// Softmax over rows, and its gradient.
#pragma once

#include "backend/cpu/kernels/row_sums.h"
#include "backend/cpu/kernels/support.h"

namespace quern::backend::cpu::QUERN_ISA {

// The exponentials are computed twice rather than kept: y may be too narrow to hold them unrounded.
template <class T>
inline void softmax_row(const T* x, T* y, int64_t cols) {
  const Vec lowest(-__builtin_inff());
  Vec top = lowest;
  for_lanes(cols,
            [&](int64_t c, auto lanes) { top = max(top, keep(lanes, Vec::load(x + c, lanes), lowest)); });
  top = Vec(max_lanes(top));
  FourSums sum;
  for_lanes_by_four(cols, [&](int64_t c, auto lanes, int part) {
    sum.part[part] = sum.part[part] + keep(lanes, exp(Vec::load(x + c, lanes) - top), Vec(0.0f));
  });
  const Vec scale(1.0f / sum.total());
  for_lanes(cols,
            [&](int64_t c, auto lanes) { (exp(Vec::load(x + c, lanes) - top) * scale).store(y + c, lanes); });
}

inline bool softmax(const SoftmaxArgs& a) {
  return visit_dtype(a.dtype, [&]<class T>() {
    parallel_for(a.rows, row_grain(kHeavyGrain, a.cols), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        softmax_row(static_cast<const T*>(a.x) + r * a.cols, static_cast<T*>(a.y) + r * a.cols, a.cols);
      }
    });
  });
}

// dx = y (dy - y·dy)
template <class T>
inline void softmax_backward_row(const T* y, const T* dy, T* dx, int64_t cols) {
  FourSums dot;
  for_lanes_by_four(cols, [&](int64_t c, auto lanes, int part) {
    dot.part[part] = fma(Vec::load(y + c, lanes), Vec::load(dy + c, lanes), dot.part[part]);
  });
  const Vec total(dot.total());
  for_lanes(cols, [&](int64_t c, auto lanes) {
    (Vec::load(y + c, lanes) * (Vec::load(dy + c, lanes) - total)).store(dx + c, lanes);
  });
}

inline bool softmax_backward(const SoftmaxBackwardArgs& a) {
  return visit_dtype(a.dtype, [&]<class T>() {
    parallel_for(a.rows, row_grain(kLightGrain, a.cols), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const int64_t at = r * a.cols;
        softmax_backward_row(static_cast<const T*>(a.y) + at, static_cast<const T*>(a.dy) + at,
                             static_cast<T*>(a.dx) + at, a.cols);
      }
    });
  });
}

}  // namespace quern::backend::cpu::QUERN_ISA
