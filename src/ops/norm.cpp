#include "ops/norm.h"

#include "ops/op_support.h"

namespace quern::ops {

Tensor norm(NormKind kind, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
            double weight_offset) {
  expect_float("norm", "input", x);
  expect_optional("norm", "a weight", weight, {x.shape().cols()}, wide_of(x.dtype()));
  expect_optional("norm", "a bias", bias, {x.shape().cols()}, wide_of(x.dtype()));
  const int64_t rows = x.shape().rows(), cols = x.shape().cols();
  const bool recorded = autograd::recording({&x, &weight, &bias});
  Tensor y(x.shape(), x.dtype());
  // Saved for backward: x, weight and the two statistics of each row.
  Tensor mean, rstd;
  if (recorded) {
    if (kind == NormKind::layer) mean = Tensor({rows}, wide_of(x.dtype()));
    rstd = Tensor({rows}, wide_of(x.dtype()));
  }
  backend::run(&KernelTable::norm,
               backend::NormArgs{kind, rows, cols, x.raw(), weight.raw(), bias.raw(), weight_offset, eps,
                                 y.raw(), mean.raw(), rstd.raw(), x.dtype()});
  if (!recorded) return y;
  autograd::record(
      y, "norm", {x, weight, bias},
      [=, x = x.detached(), weight = weight.detached()](const Tensor& dy, BackwardContext& inputs) {
        Tensor dx = inputs.needs(0) ? Tensor(x.shape(), x.dtype()) : Tensor();
        Tensor dweight = inputs.needs(1) ? inputs.buffer(1) : Tensor();
        Tensor dbias = kind == NormKind::layer && inputs.needs(2) ? inputs.buffer(2) : Tensor();
        backend::run(
            &KernelTable::norm_backward,
            backend::NormBackwardArgs{kind, rows, cols, x.raw(), weight.raw(), weight_offset, mean.raw(),
                                      rstd.raw(), dy.raw(), dx.raw(), dweight.raw(), dbias.raw(), x.dtype()});
        if (dx.defined()) inputs.give(0, dx);
      });
  return y;
}

}  // namespace quern::ops
