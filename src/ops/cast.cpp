#include "ops/cast.h"

#include "ops/op_support.h"

namespace quern::ops {

Tensor cast(const Tensor& x, DType dtype) {
  expect_float("cast", "input", x);
  expect(is_float(dtype), "cast", "a floating dtype, got {}", name_of(dtype));
  if (x.dtype() == dtype) return x;
  Tensor y(x.shape(), dtype);
  axpby(1.0, x, 0.0, y);
  if (!autograd::recording({&x})) return y;
  autograd::record(y, "cast", {x}, [](const Tensor& dy, BackwardContext& inputs) { inputs.give(0, dy); });
  return y;
}

}  // namespace quern::ops
