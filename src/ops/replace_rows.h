// Rows of a tensor that come from a table instead.
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

// y, like x [..., C] of R rows: row r is row which[r] of table [n, C], or that of x where which[r] is -1. `which` is i32 of R
// elements; the table may be of another floating dtype. Throws ShapeError. Differentiable in x and the table; gradients of
// a row of the table that stands in several places add up in order.
Tensor replace_rows(const Tensor& x, const Tensor& which, const Tensor& table);

}  // namespace quern::ops
