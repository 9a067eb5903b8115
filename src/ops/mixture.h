// What experts of a mixture computed, put together again.
#pragma once

#include <span>

#include "tensor/tensor.h"

namespace quern::ops {

// y[R, C] = for each row r the sum, in order, over the parts p of choice[r] of weights[r, p] * the row of parts[p] that
// is r's. choice is i32 [R, k], each row ascending; parts[p] holds, in order, the rows r whose choice has p, and is
// undefined when there are none. Parts and weights [R, P] are of one wide dtype (f32 or f64). A row's result does
// not depend on the others. Throws ShapeError. Differentiable in the parts and the weights.
Tensor mixture(std::span<const Tensor> parts, const Tensor& choice, const Tensor& weights);

}  // namespace quern::ops
