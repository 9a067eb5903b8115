// Matrices stored the other way round.
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

// y[..., N, M] of x [..., M, N] of any floating dtype. Throws ShapeError. Differentiable.
Tensor transpose(const Tensor& x);

}  // namespace quern::ops
