#include "ops/scale.h"

#include "ops/op_support.h"

namespace quern::ops {

Tensor scale(const Tensor& x, double alpha) {
  expect_float("scale", "input", x);
  Tensor y(x.shape(), x.dtype());
  axpby(alpha, x, 0.0, y);
  if (!autograd::recording({&x})) return y;
  autograd::record(y, "scale", {x}, [alpha](const Tensor& dy, BackwardContext& inputs) {
    Tensor dx(dy.shape(), dy.dtype());
    axpby(alpha, dy, 0.0, dx);
    inputs.give(0, dx);
  });
  return y;
}

}  // namespace quern::ops
