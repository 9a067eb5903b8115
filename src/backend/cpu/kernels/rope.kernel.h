// Rotary positions.
#pragma once

#include "backend/cpu/kernels/support.h"

namespace quern::backend::cpu::QUERN_ISA {

struct Pair {
  Vec a;
  Vec b;
};
inline Pair rotate(Pair p, Vec cos, Vec sin) { return {fnma(p.b, sin, p.a * cos), fma(p.a, sin, p.b * cos)}; }

// Lanes of the two vectors that hold `pairs` neighbouring pairs.
inline AllLanes first_part(AllLanes) { return {}; }
inline AllLanes second_part(AllLanes) { return {}; }
inline FirstLanes first_part(FirstLanes pairs) {
  return {2 * pairs.count < kWidth ? 2 * pairs.count : kWidth};
}
inline FirstLanes second_part(FirstLanes pairs) {
  return {2 * pairs.count < kWidth ? 0 : 2 * pairs.count - kWidth};
}

template <class T>
inline void rope_head(const RopeArgs& args, const T* x, T* y, const float* cos, const float* sin) {
  const int64_t half = args.rotary / 2;
  const Vec sign(args.inverse ? -1.0f : 1.0f);
  for_lanes(half, [&](int64_t i, auto lanes) {
    const Vec c = Vec::load(cos + i, lanes), s = sign * Vec::load(sin + i, lanes);
    if (args.half_split) {
      const Pair p = rotate({Vec::load(x + i, lanes), Vec::load(x + half + i, lanes)}, c, s);
      p.a.store(y + i, lanes);
      p.b.store(y + half + i, lanes);
    } else {
      const auto first = first_part(lanes), second = second_part(lanes);
      Pair p;
      unzip(Vec::load(x + 2 * i, first), Vec::load(x + 2 * i + kWidth, second), p.a, p.b);
      p = rotate(p, c, s);
      Vec low, high;
      zip(p.a, p.b, low, high);
      low.store(y + 2 * i, first);
      high.store(y + 2 * i + kWidth, second);
    }
  });
  for (int64_t i = args.rotary; i < args.head_dim; ++i) y[i] = x[i];
}

inline bool rope(const RopeArgs& a) {
  return visit_dtype(a.dtype, [&]<class T>() {
    const int64_t cols = a.heads * a.head_dim;
    parallel_for(a.rows, row_grain(kLightGrain, cols), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const int64_t angles = a.positions[r] * (a.rotary / 2);
        for (int64_t h = 0; h < a.heads; ++h) {
          const int64_t at = r * cols + h * a.head_dim;
          rope_head(a, static_cast<const T*>(a.x) + at, static_cast<T*>(a.y) + at, a.cos + angles,
                    a.sin + angles);
        }
      }
    });
  });
}

}  // namespace quern::backend::cpu::QUERN_ISA
