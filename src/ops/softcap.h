// A smooth bound on magnitudes.
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

// y = cap * tanh(x / cap), any shape, cap > 0 (Gemma 2, arXiv 2408.00118). Throws ShapeError. Differentiable.
Tensor softcap(const Tensor& x, double cap);

}  // namespace quern::ops
