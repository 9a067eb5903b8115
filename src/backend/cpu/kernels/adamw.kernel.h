// One AdamW step, with a narrow copy of the weights for the next forward.
#pragma once

#include "backend/cpu/kernels/support.h"

namespace quern::backend::cpu::QUERN_ISA {

// Stores w at shadow + i; nothing for a null shadow.
struct NoShadow {
  template <class Lanes>
  void store(int64_t, Vec, Lanes) const {}
};
template <class T>
struct Shadow {
  T* at;
  template <class Lanes>
  void store(int64_t i, Vec w, Lanes lanes) const {
    w.store(at + i, lanes);
  }
};

template <class S>
inline void adamw_all(const AdamWArgs& a, S shadow) {
  const auto constant = [](double value) { return Vec(static_cast<float>(value)); };
  const Vec beta1 = constant(a.beta1), beta2 = constant(a.beta2), eps = constant(a.eps);
  const Vec rest1 = constant(1.0 - a.beta1), rest2 = constant(1.0 - a.beta2);
  const Vec scale = constant(a.grad_scale), decay = constant(a.lr * a.decay);
  const Vec step = constant(a.lr / a.correction1), unbias = constant(1.0 / a.correction2);
  parallel_for(a.count, kLightGrain / 4, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin, [&](int64_t j, auto lanes) {
      const int64_t i = begin + j;
      const Vec g = Vec::load(a.grad + i, lanes) * scale;
      const Vec m = fma(beta1, Vec::load(a.m + i, lanes), rest1 * g);
      const Vec v = fma(beta2, Vec::load(a.v + i, lanes), rest2 * (g * g));
      Vec w = Vec::load(a.w + i, lanes);
      w = fnma(decay, w, w) - step * m / (sqrt(v * unbias) + eps);
      m.store(a.m + i, lanes);
      v.store(a.v + i, lanes);
      w.store(a.w + i, lanes);
      shadow.store(i, w, lanes);
    });
  });
}

inline bool adamw(const AdamWArgs& a) {
  if (a.shadow == nullptr) {
    adamw_all(a, NoShadow{});
    return true;
  }
  return visit_dtype(a.shadow_dtype, [&]<class T>() { adamw_all(a, Shadow<T>{static_cast<T*>(a.shadow)}); });
}

}  // namespace quern::backend::cpu::QUERN_ISA
