#include "ops/dropout.h"

#include "ops/op_support.h"

namespace quern::ops {

namespace {
Tensor dropped(const Tensor& x, double p, uint64_t seed, uint64_t stream) {
  Tensor y(x.shape(), x.dtype());
  backend::run(&KernelTable::dropout,
               backend::DropoutArgs{x.numel(), p, seed, stream, x.raw(), y.raw(), x.dtype()});
  return y;
}
}  // namespace

Tensor dropout(const Tensor& x, double p, uint64_t seed, uint64_t stream) {
  expect_float("dropout", "input", x);
  expect(p >= 0.0 && p < 1.0, "dropout", "a probability in [0, 1), got {}", p);
  if (p == 0.0) return x;
  Tensor y = dropped(x, p, seed, stream);
  if (!autograd::recording({&x})) return y;
  // Saved for backward: nothing; the mask is a function of the counters.
  autograd::record(y, "dropout", {x}, [=](const Tensor& dy, BackwardContext& inputs) {
    inputs.give(0, dropped(dy, p, seed, stream));
  });
  return y;
}

}  // namespace quern::ops
