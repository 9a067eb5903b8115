// The affine map every projection is made of.
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

// y[..., N] = x[..., K] · w[N, K]^T + bias[N]. y has the dtype of x; w may be of any floating dtype; bias is
// wide (f32, or f64 for f64 x) or undefined. Throws ShapeError. Differentiable in x, w and bias. A call that
// is not recorded and has at most kInvariantRows rows, or runs under BatchInvariant, sums in an order that
// does not depend on the other rows.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias = {});

inline constexpr int64_t kInvariantRows = 16;

// While one lives on this thread, every unrecorded linear computes each row as if it were alone, whatever the
// batch: serving gives the same bits to a request in any company, and to a prompt prefilled whole or in
// pieces.
class BatchInvariant {
 public:
  BatchInvariant();
  ~BatchInvariant();
  BatchInvariant(const BatchInvariant&) = delete;
  BatchInvariant& operator=(const BatchInvariant&) = delete;

 private:
  bool previous_;
};

}  // namespace quern::ops
