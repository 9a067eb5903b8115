// Rows of a table by index.
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

// y[..., C] = w[ids[...]] for ids i32 [...] in [0, V) and w [V, C] of any floating dtype; y has dtype
// `dtype`. Throws ShapeError, also for an index out of range. Differentiable in w; equal ids add up in order.
Tensor embedding(const Tensor& ids, const Tensor& w, DType dtype);

}  // namespace quern::ops
