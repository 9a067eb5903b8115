#include "ops/linear.h"

#include "ops/op_support.h"

namespace quern::ops {

namespace {

thread_local bool batch_invariant = false;

void forward_rows(const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y) {
  if (y.numel() == 0) return;
  backend::run(&KernelTable::linear_rows,
               backend::LinearRowsArgs{x.dim(0), w.dim(0), w.dim(1), x.raw(), w.raw(), bias.raw(), y.raw(),
                                       x.dtype(), w.dtype()});
}

// dx = dy·w, dw += dy^T·x, dbias += sum of the rows of dy; x, dy are matrices.
void backward(const Tensor& x, const Tensor& w, const Tensor& dy, BackwardContext& inputs) {
  if (inputs.needs(0)) {
    Tensor dx(x.shape(), x.dtype());
    matmul(dy, w, {}, dx);
    inputs.give(0, dx);
  }
  if (inputs.needs(1)) {
    bool holds_sum = false;
    const Tensor dw = inputs.buffer(1, holds_sum);
    matmul(dy, x, {.a = true}, dw, holds_sum);
  }
  if (inputs.needs(2)) {
    bool holds_sum = false;
    const Tensor dbias = inputs.buffer(2, holds_sum);
    backend::run(&KernelTable::sum_rows,
                 backend::SumRowsArgs{dy.dim(0), dy.dim(1), dy.raw(), dbias.raw(), holds_sum, dy.dtype()});
  }
}

}  // namespace

BatchInvariant::BatchInvariant() : previous_(batch_invariant) { batch_invariant = true; }
BatchInvariant::~BatchInvariant() { batch_invariant = previous_; }

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  expect_float("linear", "input", x);
  expect_float("linear", "weight", w);
  expect(x.shape().rank() >= 1 && w.shape().rank() == 2 && w.dim(1) == x.dim(-1) && w.dim(1) > 0, "linear",
         "input [..., K] and weight [N, K], got {} and {}", x.describe(), w.describe());
  expect_optional("linear", "a bias", bias, {w.dim(0)}, wide_of(x.dtype()));
  const bool recorded = autograd::recording({&x, &w, &bias});
  const Tensor rows = as_matrix(x);
  Tensor y(x.shape().with(-1, w.dim(0)), x.dtype());
  if (!recorded && !autograd::checkpointing() && (batch_invariant || rows.dim(0) <= kInvariantRows)) {
    forward_rows(rows, w, bias, as_matrix(y));
  } else {
    matmul(rows, w, {.b = true}, as_matrix(y), false, bias);
  }
  if (!recorded) return y;
  // Saved for backward: x and w.
  autograd::record(y, "linear", {x, w, bias},
                   [rows, w = w.detached()](const Tensor& dy, BackwardContext& inputs) {
                     backward(rows, w, as_matrix(dy), inputs);
                   });
  return y;
}

}  // namespace quern::ops
