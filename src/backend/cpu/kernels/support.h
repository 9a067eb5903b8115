// What the kernels share: the SIMD facade of their instruction set, dispatch on dtype, and how much work is
// worth a thread. The isa/*.cpp that includes a kernel has defined QUERN_ISA, the namespace of everything it
// compiles, and QUERN_VEC, the header with its Vec.
#pragma once

#include <cstdint>

#include "backend/api/kernel_table.h"
#include "base/threads.h"
#include QUERN_VEC

namespace quern::backend::cpu::QUERN_ISA {

inline constexpr float kInfinity = __builtin_inff();

// Elements below which a second thread costs more than it brings (waking one takes 5 to 20 us): for kernels
// that wait for memory, and for those that evaluate an exponential or more per element.
inline constexpr int64_t kLightGrain = 65536;
inline constexpr int64_t kHeavyGrain = 16384;
// The same for products of matrices, in multiply-adds: 5 us of one row by a matrix in blocks, while threads still wait awake
// for the next product. A small model's token is made of matrices of some 2^19.
inline constexpr int64_t kProductGrain = 1 << 17;

// Rows per piece of a kernel that works on whole rows.
inline int64_t row_grain(int64_t grain, int64_t cols) { return grain / (cols + 1) + 1; }

// Calls f.template operator()<T>() for the activation dtypes of this backend; false, which declines, for the
// others.
template <class F>
inline bool visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      f.template operator()<float>();
      return true;
    case DType::bf16:
      f.template operator()<bfloat16>();
      return true;
    case DType::f16:
      f.template operator()<float16>();
      return true;
    default:
      return false;
  }
}

}  // namespace quern::backend::cpu::QUERN_ISA
