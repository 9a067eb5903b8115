// Layer and RMS normalisation over the last dimension.
#pragma once

#include "backend/api/kernel_table.h"
#include "tensor/tensor.h"

namespace quern::ops {

using backend::NormKind;

// y[..., C] = normalise(x[..., C]) * (weight[C] + weight_offset) + bias[C]. weight and bias may be undefined;
// they are wide (f32, or f64 for f64 x). rms ignores bias. Sources: arXiv 1607.06450, 1910.07467. Throws
// ShapeError. Differentiable in x, weight and bias.
Tensor norm(NormKind kind, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
            double weight_offset = 0.0);

}  // namespace quern::ops
