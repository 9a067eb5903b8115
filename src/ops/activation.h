// Elementwise activations, and the gated pairs of feed-forward blocks.
#pragma once

#include "backend/api/kernel_table.h"
#include "tensor/tensor.h"

namespace quern::ops {

using backend::Activation;

// y = act(x), any shape. Differentiable. gelu: arXiv 1606.08415 (erf is exact, tanh its approximation).
Tensor activation(Activation kind, const Tensor& x);

// y = act(gate) * up, equal shapes and dtypes: SwiGLU with silu, GeGLU with gelu (arXiv 2002.05202). Throws
// ShapeError. Differentiable in both.
Tensor gated(Activation kind, const Tensor& gate, const Tensor& up);

}  // namespace quern::ops
