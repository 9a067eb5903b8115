// Softmax over the last dimension.
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

// y[..., C] = exp(x) / sum over C of exp(x). Differentiable. (Attention and the loss have their own, fused.)
Tensor softmax(const Tensor& x);

}  // namespace quern::ops
