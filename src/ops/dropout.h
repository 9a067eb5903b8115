// Dropout (Srivastava et al. 2014) from counters.
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace quern::ops {

// Each element is 0 with probability p, else x / (1 - p). Which ones is a pure function of (seed, stream,
// index), so recomputation and resuming repeat them: give every call site and step its own stream. p in [0,
// 1); with p = 0, x itself. Throws ShapeError. Differentiable.
Tensor dropout(const Tensor& x, double p, uint64_t seed, uint64_t stream);

}  // namespace quern::ops
