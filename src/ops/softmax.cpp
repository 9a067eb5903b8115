#include "ops/softmax.h"

#include "ops/op_support.h"

namespace quern::ops {

Tensor softmax(const Tensor& x) {
  expect_float("softmax", "input", x);
  const int64_t rows = x.shape().rows(), cols = x.shape().cols();
  Tensor y(x.shape(), x.dtype());
  backend::run(&KernelTable::softmax, backend::SoftmaxArgs{rows, cols, x.raw(), y.raw(), x.dtype()});
  if (!autograd::recording({&x})) return y;
  // Saved for backward: y.
  autograd::record(y, "softmax", {x}, [=, y = y.detached()](const Tensor& dy, BackwardContext& inputs) {
    Tensor dx(y.shape(), y.dtype());
    backend::run(&KernelTable::softmax_backward,
                 backend::SoftmaxBackwardArgs{rows, cols, y.raw(), dy.raw(), dx.raw(), y.dtype()});
    inputs.give(0, dx);
  });
  return y;
}

}  // namespace quern::ops
