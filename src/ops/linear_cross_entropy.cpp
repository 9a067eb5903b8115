#include "ops/linear_cross_entropy.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "ops/cast.h"
#include "ops/op_support.h"

namespace quern::ops {

namespace {

// Rows of logits computed at a time: few enough to stay near the cache, enough to keep the products
// efficient.
int64_t chunk_rows(const Tensor& h, const Tensor& w, int64_t wanted) {
  const int64_t row_bytes = w.dim(0) * size_of(wide_of(h.dtype()));
  return std::min(h.dim(0), wanted > 0 ? wanted : std::max(kFewestLogitRows, kLogitChunkBytes / row_bytes));
}

// What the gradients are made with, and what backward multiplies them by.
struct Weights {
  Tensor values;  // wide [N]
  double factor = 1.0;
};

// The weights given, or ones. For f16 gradients the weights are divided by a power of two that brings the
// largest into [1, 2): weights of 1/N would push them below f16's smallest number before the caller's loss
// scale comes with dy.
Weights gradient_weights(const Tensor& weights, const Tensor& h) {
  if (!weights.defined()) return {Tensor::full({h.dim(0)}, 1.0, wide_of(h.dtype()))};
  if (h.dtype() != DType::f16) return {weights};
  double largest = 0.0;
  for (const float weight : weights.span<float>()) largest = std::max(largest, std::fabs(double{weight}));
  if (!(largest > 0.0) || !std::isfinite(largest)) return {weights};
  Weights scaled{Tensor(weights.shape(), DType::f32), std::exp2(std::ilogb(largest))};
  axpby(1.0 / scaled.factor, weights, 0.0, scaled.values);
  return scaled;
}

// What one pass over the chunks fills: always `losses`; the gradients that are defined.
struct Pass {
  Tensor losses;   // wide [N]
  Tensor weights;  // wide [N] when gradients are wanted
  Tensor dh;       // [N, C] in the dtype of h
  Tensor dw;       // wide [V, C]
  Tensor dbias;    // wide [V], zero at first
};

// The gradient of the logits is made in the wide dtype; the products with it run in the dtype of the model.
Tensor in_dtype(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  Tensor y(x.shape(), dtype);
  axpby(1.0, x, 0.0, y);
  return y;
}

void run_chunk(const Tensor& h, const Tensor& w, const Tensor& targets, const CrossEntropyOptions& options,
               int64_t begin, const Tensor& logits, const Pass& pass) {
  const int64_t end = begin + logits.dim(0);
  const Tensor rows = h.sliced(begin, end);
  const bool gradient = pass.dh.defined() || pass.dw.defined() || pass.dbias.defined();
  matmul(rows, w, {.b = true}, logits, false, options.bias);
  backend::run(&KernelTable::cross_entropy,
               backend::CrossEntropyArgs{
                   logits.dim(0), logits.dim(1), logits.raw(), targets.data<int32_t>() + begin,
                   gradient ? pass.weights.sliced(begin, end).raw() : nullptr,
                   pass.losses.sliced(begin, end).raw(), gradient, options.softcap, logits.dtype()});
  if (!gradient) return;
  if (pass.dbias.defined()) {
    backend::run(&KernelTable::sum_rows, backend::SumRowsArgs{logits.dim(0), logits.dim(1), logits.raw(),
                                                              pass.dbias.raw(), true, logits.dtype()});
  }
  const Tensor dlogits = in_dtype(logits, h.dtype());
  if (pass.dh.defined()) matmul(dlogits, w, {}, pass.dh.sliced(begin, end));
  if (pass.dw.defined()) matmul(dlogits, rows, {.a = true}, pass.dw, begin > 0);
}

void run(const Tensor& h, const Tensor& w, const Tensor& targets, const CrossEntropyOptions& options,
         const Pass& pass) {
  const int64_t rows = h.dim(0), step = chunk_rows(h, w, options.chunk_rows);
  const Tensor logits({step, w.dim(0)}, wide_of(h.dtype()));
  for (int64_t begin = 0; begin < rows; begin += step) {
    run_chunk(h, w, targets, options, begin, logits.sliced(0, std::min(step, rows - begin)), pass);
  }
}

Tensor weighted_sum(const Tensor& losses, const Tensor& weights) {
  Tensor terms = losses;
  if (weights.defined()) {
    terms = Tensor(losses.shape(), losses.dtype());
    backend::run(&KernelTable::binary,
                 backend::BinaryArgs{backend::Binary::mul, losses.numel(), losses.numel(), losses.raw(),
                                     weights.raw(), terms.raw(), losses.dtype()});
  }
  double total = 0.0;
  backend::run(&KernelTable::sum, backend::SumArgs{terms.numel(), terms.raw(), false, &total, terms.dtype()});
  return Tensor::full({}, total, losses.dtype());
}

void check(const Tensor& h, const Tensor& w, const Tensor& targets, const CrossEntropyOptions& options) {
  constexpr const char* kOp = "linear_cross_entropy";
  expect_float(kOp, "input", h);
  expect(w.defined() && (is_float(w.dtype()) || is_block(w.dtype())), kOp,
         "a floating or block-quantised weight, got {}", w.describe());
  expect(
      h.shape().rank() == 2 && w.shape().rank() == 2 && h.dim(1) == w.dim(1) && h.dim(0) > 0 && w.dim(0) > 0,
      kOp, "input [N, C] and weight [V, C], got {} and {}", h.describe(), w.describe());
  expect_like(kOp, "targets", targets, {h.dim(0)}, DType::i32);
  for (const int32_t target : targets.span<int32_t>()) {
    expect(target < w.dim(0), kOp, "targets below {}, got {}", w.dim(0), target);
  }
  expect_optional(kOp, "bias", options.bias, {w.dim(0)}, wide_of(h.dtype()));
  expect_optional(kOp, "weights", options.weights, {h.dim(0)}, wide_of(h.dtype()));
}

}  // namespace

Tensor linear_cross_entropy(const Tensor& h, const Tensor& w, const Tensor& targets,
                            const CrossEntropyOptions& options) {
  check(h, w, targets, options);
  const bool recorded = autograd::recording({&h, &w, &options.bias});
  Pass pass;
  pass.losses = Tensor({h.dim(0)}, wide_of(h.dtype()));
  double factor = 1.0;
  if (recorded) {
    const Weights weights = gradient_weights(options.weights, h);
    pass.weights = weights.values;
    factor = weights.factor;
    if (autograd::requires_grad(h)) pass.dh = Tensor(h.shape(), h.dtype());
    if (autograd::requires_grad(w)) pass.dw = Tensor(w.shape(), wide_of(h.dtype()));
    if (autograd::requires_grad(options.bias))
      pass.dbias = Tensor::zeros(options.bias.shape(), wide_of(h.dtype()));
  }
  run(h, is_block(w.dtype()) ? cast(w, h.dtype()) : w, targets, options, pass);
  Tensor loss = weighted_sum(pass.losses, options.weights);
  if (options.row_losses != nullptr) *options.row_losses = pass.losses;
  if (!recorded) return loss;
  // Saved for backward: the gradients, which only wait for dy.
  autograd::record(loss, "linear_cross_entropy", {h, w, options.bias},
                   [gradients = std::array{pass.dh, pass.dw, pass.dbias}, factor](const Tensor& dy,
                                                                                  BackwardContext& inputs) {
                     for (size_t i = 0; i < gradients.size(); ++i) {
                       const Tensor& gradient = gradients[i];
                       if (!gradient.defined()) continue;
                       if (const double scale = dy.item() * factor; scale != 1.0)
                         axpby(scale, gradient, 0.0, gradient);
                       inputs.give(i, gradient);
                     }
                   });
  return loss;
}

}  // namespace quern::ops
