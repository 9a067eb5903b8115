// Multiplication by a number.
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

// y = alpha * x, any shape. Differentiable.
Tensor scale(const Tensor& x, double alpha);

}  // namespace quern::ops
