// Elementwise arithmetic of two tensors.
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

// y = a + b, a - b, a * b, with the shape of a; b has that shape or its last dimensions and repeats over the
// others
// ([C] or [] against [B, T, C]). One dtype. Throws ShapeError. Differentiable in both.
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);

}  // namespace quern::ops
