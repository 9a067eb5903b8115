// y = alpha x + beta y between any two dtypes.
#pragma once

#include "backend/cpu/kernels/support.h"

namespace quern::backend::cpu::QUERN_ISA {

template <class X, class Y>
inline void axpby_range(const X* x, Y* y, int64_t count, float alpha, float beta) {
  const Vec a(alpha), b(beta);
  if (beta != 0.0f) {
    for_lanes(count, [&](int64_t i, auto lanes) {
      fma(a, Vec::load(x + i, lanes), b * Vec::load(y + i, lanes)).store(y + i, lanes);
    });
  } else {
    for_lanes(count, [&](int64_t i, auto lanes) { (a * Vec::load(x + i, lanes)).store(y + i, lanes); });
  }
}

inline bool axpby(const AxpbyArgs& a) {
  bool done = false;
  visit_dtype(a.x_dtype, [&]<class X>() {
    done = visit_dtype(a.y_dtype, [&]<class Y>() {
      parallel_for(a.count, kLightGrain, [&](int64_t begin, int64_t end) {
        axpby_range(static_cast<const X*>(a.x) + begin, static_cast<Y*>(a.y) + begin, end - begin,
                    static_cast<float>(a.alpha), static_cast<float>(a.beta));
      });
    });
  });
  return done;
}

}  // namespace quern::backend::cpu::QUERN_ISA
