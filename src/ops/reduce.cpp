#include "ops/reduce.h"

#include "ops/op_support.h"

namespace quern::ops {

namespace {
Tensor scaled_sum(const char* name, const Tensor& x, double factor) {
  double total = 0.0;
  backend::run(&KernelTable::sum, backend::SumArgs{x.numel(), x.raw(), false, &total, x.dtype()});
  Tensor y = Tensor::full({}, total * factor, wide_of(x.dtype()));
  if (!autograd::recording({&x})) return y;
  autograd::record(y, name, {x},
                   [factor, shape = x.shape(), dtype = x.dtype()](const Tensor& dy, BackwardContext& inputs) {
                     inputs.give(0, Tensor::full(shape, dy.item() * factor, dtype));
                   });
  return y;
}
}  // namespace

Tensor sum(const Tensor& x) {
  expect_float("sum", "input", x);
  return scaled_sum("sum", x, 1.0);
}

Tensor mean(const Tensor& x) {
  expect_float("mean", "input", x);
  expect(x.numel() > 0, "mean", "at least one element, got {}", x);
  return scaled_sum("mean", x, 1.0 / static_cast<double>(x.numel()));
}

}  // namespace quern::ops
