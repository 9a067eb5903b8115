// Limits on values.
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

// y = min(max(x, low), high), any shape; NaN stays. Throws ShapeError unless low <= high. Differentiable: the gradient
// passes where low <= x <= high.
Tensor clamp(const Tensor& x, double low, double high);

}  // namespace quern::ops
