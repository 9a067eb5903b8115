// Conversion between floating dtypes, and from block-quantised ones.
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

// x in another floating dtype; x itself when it already is. Differentiable: the gradient is converted back.
// A block-quantised x is decoded (exactly to f32, and from there rounded to `dtype`) and gets no gradient.
Tensor cast(const Tensor& x, DType dtype);

// The floating dtype for what x holds: its own; of blocks f16, or that of their scales where they lie beside.
DType plain_dtype(const Tensor& x);

}  // namespace quern::ops
