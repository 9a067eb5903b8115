// Reductions to a scalar.
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

// The sum, or the mean, of all elements as a wide scalar []; summed in double in a fixed order. mean of no
// elements is a ShapeError. Differentiable.
Tensor sum(const Tensor& x);
Tensor mean(const Tensor& x);

}  // namespace quern::ops
