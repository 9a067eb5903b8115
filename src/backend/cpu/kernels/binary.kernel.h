// Elementwise sum, difference and product, with a repeating second operand.
#pragma once

#include "backend/cpu/kernels/support.h"

namespace quern::backend::cpu::QUERN_ISA {

struct Add {
  static Vec apply(Vec a, Vec b) { return a + b; }
};
struct Sub {
  static Vec apply(Vec a, Vec b) { return a - b; }
};
struct Mul {
  static Vec apply(Vec a, Vec b) { return a * b; }
};

// Elements [begin, end) of y; b holds `period` elements.
template <class Op, class T>
inline void binary_range(const T* a, const T* b, T* y, int64_t period, int64_t begin, int64_t end) {
  for (int64_t at = begin; at < end;) {
    const int64_t phase = at % period;
    const int64_t count = end - at < period - phase ? end - at : period - phase;
    for_lanes(count, [&](int64_t i, auto lanes) {
      Op::apply(Vec::load(a + at + i, lanes), Vec::load(b + phase + i, lanes)).store(y + at + i, lanes);
    });
    at += count;
  }
}

template <class Op, class T>
inline void binary_op(const BinaryArgs& args) {
  constexpr int64_t kTile = 1024;
  const T* b = static_cast<const T*>(args.b);
  int64_t period = args.b_count;
  T tile[kTile];  // a short b, repeated, so that the loops over it stay long
  if (period < kTile / 2 && period < args.count) {
    period *= kTile / period;
    for (int64_t i = 0; i < period; ++i) tile[i] = b[i % args.b_count];
    b = tile;
  }
  parallel_for(args.count, kLightGrain, [&](int64_t begin, int64_t end) {
    binary_range<Op>(static_cast<const T*>(args.a), b, static_cast<T*>(args.y), period, begin, end);
  });
}

inline bool binary(const BinaryArgs& args) {
  return visit_dtype(args.dtype, [&]<class T>() {
    switch (args.kind) {
      case Binary::add:
        return binary_op<Add, T>(args);
      case Binary::sub:
        return binary_op<Sub, T>(args);
      case Binary::mul:
        return binary_op<Mul, T>(args);
    }
  });
}

}  // namespace quern::backend::cpu::QUERN_ISA
