// Conversion between floating dtypes.
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

// x in another floating dtype; x itself when it already is. Differentiable: the gradient is converted back.
Tensor cast(const Tensor& x, DType dtype);

}  // namespace quern::ops
