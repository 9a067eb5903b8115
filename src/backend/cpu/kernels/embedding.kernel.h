// Rows of a table by id, and the gradient of the table.
#pragma once

#include "backend/cpu/kernels/support.h"

namespace quern::backend::cpu::QUERN_ISA {

template <class W, class T>
inline void embedding_rows(const EmbeddingArgs& a) {
  parallel_for(a.count, row_grain(kLightGrain, a.cols), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const W* from = static_cast<const W*>(a.w) + a.ids[i] * a.cols;
      T* to = static_cast<T*>(a.y) + i * a.cols;
      for_lanes(a.cols, [&](int64_t c, auto lanes) { Vec::load(from + c, lanes).store(to + c, lanes); });
    }
  });
}

inline bool embedding(const EmbeddingArgs& a) {
  bool done = false;
  visit_dtype(a.w_dtype,
              [&]<class W>() { done = visit_dtype(a.dtype, [&]<class T>() { embedding_rows<W, T>(a); }); });
  return done;
}

// Threads take columns, so that each sums the rows of an id in order of i.
inline bool embedding_backward(const EmbeddingBackwardArgs& a) {
  return visit_dtype(a.dtype, [&]<class T>() {
    parallel_for(a.cols, row_grain(kLightGrain, a.count), [&](int64_t begin, int64_t end) {
      for (int64_t i = 0; i < a.count; ++i) {
        const T* from = static_cast<const T*>(a.dy) + i * a.cols + begin;
        float* to = static_cast<float*>(a.dw) + a.ids[i] * a.cols + begin;
        for_lanes(end - begin, [&](int64_t c, auto lanes) {
          (Vec::load(to + c, lanes) + Vec::load(from + c, lanes)).store(to + c, lanes);
        });
      }
    });
  });
}

}  // namespace quern::backend::cpu::QUERN_ISA
