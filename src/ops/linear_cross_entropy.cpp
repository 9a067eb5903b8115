#include "ops/linear_cross_entropy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

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
  Tensor losses;        // wide [N]
  Tensor weights = {};  // wide [N] when gradients are wanted
  Tensor dh = {};       // [N, C] in the dtype of h
  Tensor dw = {};       // wide [V, C]
  Tensor dbias = {};    // wide [V], zero at first
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

// Rows that have a part in the loss.
std::vector<int64_t> live_rows(const Tensor& targets, const Tensor& weights) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < targets.numel(); ++i) {
    const bool weighs =
        !weights.defined() ||
        (weights.dtype() == DType::f64 ? weights.data<double>()[i] != 0.0 : weights.data<float>()[i] != 0.0f);
    if (weighs && targets.data<int32_t>()[i] >= 0) rows.push_back(i);
  }
  return rows;
}

// Rows of x [N] or [N, C], brought together; undefined stays so.
Tensor gathered(const Tensor& x, std::span<const int64_t> rows) {
  if (!x.defined()) return x;
  Tensor y(x.shape().with(0, static_cast<int64_t>(rows.size())), x.dtype());
  const size_t bytes = static_cast<size_t>(x.numel() / x.dim(0)) * static_cast<size_t>(size_of(x.dtype()));
  const auto* from = static_cast<const std::byte*>(x.raw());
  auto* to = static_cast<std::byte*>(y.raw());
  for (size_t i = 0; i < rows.size(); ++i)
    std::memcpy(to + i * bytes, from + static_cast<size_t>(rows[i]) * bytes, bytes);
  return y;
}

// The way back: row i of `from` becomes row rows[i] of `to`, whose other rows become 0.
void scatter(const Tensor& from, std::span<const int64_t> rows, const Tensor& to) {
  const size_t bytes = static_cast<size_t>(to.numel() / to.dim(0)) * static_cast<size_t>(size_of(to.dtype()));
  auto* out = static_cast<std::byte*>(to.raw());
  std::memset(out, 0, bytes * static_cast<size_t>(to.dim(0)));
  if (rows.empty()) return;
  const auto* in = static_cast<const std::byte*>(from.raw());
  for (size_t i = 0; i < rows.size(); ++i)
    std::memcpy(out + static_cast<size_t>(rows[i]) * bytes, in + i * bytes, bytes);
}

void run_rows(const Tensor& h, const Tensor& w, const Tensor& targets, const CrossEntropyOptions& options,
              const Pass& pass) {
  const int64_t rows = h.dim(0), step = chunk_rows(h, w, options.chunk_rows);
  const Tensor logits({step, w.dim(0)}, wide_of(h.dtype()));
  for (int64_t begin = 0; begin < rows; begin += step) {
    run_chunk(h, w, targets, options, begin, logits.sliced(0, std::min(step, rows - begin)), pass);
  }
}

// Fills `pass`. Rows without a part in the loss, such as those of prompts in tuning, are put aside before.
void run(const Tensor& h, const Tensor& w, const Tensor& targets, const CrossEntropyOptions& options,
         const Pass& pass) {
  const Tensor head = is_block(w.dtype()) ? cast(w, h.dtype()) : w;
  const std::vector<int64_t> live =
      live_rows(targets, pass.weights.defined() ? pass.weights : options.weights);
  if (static_cast<int64_t>(live.size()) == h.dim(0)) {
    run_rows(h, head, targets, options, pass);
    return;
  }
  Pass part = pass;
  if (!live.empty()) {
    const auto count = static_cast<int64_t>(live.size());
    part.losses = Tensor({count}, pass.losses.dtype());
    part.weights = gathered(pass.weights, live);
    if (pass.dh.defined()) part.dh = Tensor({count, h.dim(1)}, h.dtype());
    run_rows(gathered(h, live), head, gathered(targets, live), options, part);
  } else if (pass.dw.defined()) {
    pass.dw.fill(0.0);
  }
  scatter(part.losses, live, pass.losses);
  if (pass.dh.defined()) scatter(part.dh, live, pass.dh);
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

void check(const char* op, const Tensor& h, const Tensor& w, const Tensor& targets,
           const CrossEntropyOptions& options) {
  expect_float(op, "input", h);
  expect(w.defined() && (is_float(w.dtype()) || is_block(w.dtype())), op,
         "a floating or block-quantised weight, got {}", w);
  expect(
      h.shape().rank() == 2 && w.shape().rank() == 2 && h.dim(1) == w.dim(1) && h.dim(0) > 0 && w.dim(0) > 0,
      op, "input [N, C] and weight [V, C], got {} and {}", h, w);
  expect_like(op, "targets", targets, {h.dim(0)}, DType::i32);
  for (const int32_t target : targets.span<int32_t>()) {
    expect(target < w.dim(0), op, "targets below {}, got {}", w.dim(0), target);
  }
  expect_optional(op, "bias", options.bias, {w.dim(0)}, wide_of(h.dtype()));
  expect_optional(op, "weights", options.weights, {h.dim(0)}, wide_of(h.dtype()));
}

// The gradients of sum over rows of weight * loss, where they are wanted, and the factor that is still to come.
struct Gradients {
  Pass pass;
  double factor = 1.0;
};

Gradients wanted_gradients(const Tensor& h, const Tensor& w, const Tensor& bias, const Tensor& weights) {
  const Weights scaled = gradient_weights(weights, h);
  Gradients g{{.losses = Tensor({h.dim(0)}, wide_of(h.dtype())), .weights = scaled.values}, scaled.factor};
  if (autograd::requires_grad(h)) g.pass.dh = Tensor(h.shape(), h.dtype());
  if (autograd::requires_grad(w)) g.pass.dw = Tensor(w.shape(), wide_of(h.dtype()));
  if (autograd::requires_grad(bias)) g.pass.dbias = Tensor::zeros(bias.shape(), wide_of(h.dtype()));
  return g;
}

// Hands the gradients, times `scale`, to inputs h, w and bias.
void give(const Gradients& gradients, double scale, BackwardContext& inputs) {
  const std::array all{gradients.pass.dh, gradients.pass.dw, gradients.pass.dbias};
  for (size_t i = 0; i < all.size(); ++i) {
    if (!all[i].defined()) continue;
    if (const double factor = scale * gradients.factor; factor != 1.0) axpby(factor, all[i], 0.0, all[i]);
    inputs.give(i, all[i]);
  }
}

}  // namespace

Tensor linear_cross_entropy(const Tensor& h, const Tensor& w, const Tensor& targets,
                            const CrossEntropyOptions& options) {
  check("linear_cross_entropy", h, w, targets, options);
  const bool recorded = autograd::recording({&h, &w, &options.bias});
  Gradients gradients;
  if (recorded) {
    gradients = wanted_gradients(h, w, options.bias, options.weights);
  } else {
    gradients.pass.losses = Tensor({h.dim(0)}, wide_of(h.dtype()));
  }
  run(h, w, targets, options, gradients.pass);
  Tensor loss = weighted_sum(gradients.pass.losses, options.weights);
  if (!recorded) return loss;
  // Saved for backward: the gradients, which only wait for dy.
  gradients.pass.losses = gradients.pass.weights = Tensor();
  autograd::record(
      loss, "linear_cross_entropy", {h, w, options.bias},
      [gradients](const Tensor& dy, BackwardContext& inputs) { give(gradients, dy.item(), inputs); });
  return loss;
}

Tensor linear_row_losses(const Tensor& h, const Tensor& w, const Tensor& targets,
                         const CrossEntropyOptions& options) {
  check("linear_row_losses", h, w, targets, options);
  expect(!options.weights.defined(), "linear_row_losses", "no weights, got {}", options.weights);
  Pass pass{.losses = Tensor({h.dim(0)}, wide_of(h.dtype()))};
  run(h, w, targets, options, pass);
  if (!autograd::recording({&h, &w, &options.bias})) return pass.losses;
  autograd::record(pass.losses, "linear_row_losses", {h, w, options.bias},
                   [h, w, targets, options](const Tensor& dy, BackwardContext& inputs) {
                     const Gradients gradients = wanted_gradients(h, w, options.bias, dy);
                     run(h, w, targets, options, gradients.pass);
                     give(gradients, 1.0, inputs);
                   });
  return pass.losses;
}

}  // namespace quern::ops
