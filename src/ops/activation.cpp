#include "ops/activation.h"

#include "ops/op_support.h"

namespace quern::ops {

Tensor activation(Activation kind, const Tensor& x) {
  expect_float("activation", "input", x);
  Tensor y(x.shape(), x.dtype());
  backend::run(&KernelTable::activation,
               backend::ActivationArgs{kind, x.numel(), x.raw(), y.raw(), x.dtype()});
  if (!autograd::recording({&x})) return y;
  // Saved for backward: x.
  autograd::record(y, "activation", {x}, [kind, x = x.detached()](const Tensor& dy, BackwardContext& inputs) {
    Tensor dx(x.shape(), x.dtype());
    backend::run(&KernelTable::activation_backward,
                 backend::ActivationBackwardArgs{kind, x.numel(), x.raw(), dy.raw(), dx.raw(), x.dtype()});
    inputs.give(0, dx);
  });
  return y;
}

Tensor gated(Activation kind, const Tensor& gate, const Tensor& up) {
  expect_float("gated", "gate", gate);
  expect_like("gated", "up", up, gate.shape(), gate.dtype());
  Tensor y(gate.shape(), gate.dtype());
  backend::run(&KernelTable::gated,
               backend::GatedArgs{kind, gate.numel(), gate.raw(), up.raw(), y.raw(), gate.dtype()});
  if (!autograd::recording({&gate, &up})) return y;
  // Saved for backward: gate and up.
  autograd::record(
      y, "gated", {gate, up},
      [kind, gate = gate.detached(), up = up.detached()](const Tensor& dy, BackwardContext& inputs) {
        Tensor dgate(gate.shape(), gate.dtype()), dup(up.shape(), up.dtype());
        backend::run(&KernelTable::gated_backward,
                     backend::GatedBackwardArgs{kind, gate.numel(), gate.raw(), up.raw(), dy.raw(),
                                                dgate.raw(), dup.raw(), gate.dtype()});
        inputs.give(0, dgate);
        inputs.give(1, dup);
      });
  return y;
}

}  // namespace quern::ops
