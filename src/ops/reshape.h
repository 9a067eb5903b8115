// Another shape over the same elements.
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

// The elements of x, shared, under a shape of the same size. Throws ShapeError. Differentiable.
Tensor reshape(const Tensor& x, const Shape& shape);

}  // namespace quern::ops
