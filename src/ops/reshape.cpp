#include "ops/reshape.h"

#include "ops/op_support.h"

namespace quern::ops {

Tensor reshape(const Tensor& x, const Shape& shape) {
  expect(x.defined() && x.numel() == shape.numel(), "reshape", "{} elements for {}, got {}", shape.numel(),
         shape, x);
  Tensor y = x.reshaped(shape);
  if (!autograd::recording({&x})) return y;
  autograd::record(y, "reshape", {x}, [](const Tensor& dy, BackwardContext& inputs) { inputs.give(0, dy); });
  return y;
}

}  // namespace quern::ops
