// oneDNN behind a cache of primitives: one matmul of operands whose dtypes it has kernels for.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace quern::backend::cpu::onednn {

// What a matmul is compiled for. Strides between rows as stored, in elements.
struct MatmulShape {
  int64_t m, n, k;
  int64_t a_stride, b_stride, c_stride;
  bool a_transposed, b_transposed;
  DType input, output;  // f32 -> f32, bf16 -> bf16 or f32
  bool bias, accumulate;
  bool operator==(const MatmulShape&) const = default;
};

// Whether products of bf16 run on bf16 instructions here; without them oneDNN converts in its inner loops.
bool has_fast_bf16();

// C = A B (+ bias) (+ C). The first call with a shape and a number of threads compiles it (about a
// millisecond).
void matmul(const MatmulShape& shape, const void* a, const void* b, void* c, const float* bias);

}  // namespace quern::backend::cpu::onednn
