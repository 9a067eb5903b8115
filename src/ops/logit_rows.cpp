#include "ops/logit_rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "ops/cast.h"

namespace quern::ops {

namespace {

// What the gradients are made with, and what backward multiplies them by.
struct RowWeights {
  Tensor values;  // wide [N]
  double factor = 1.0;
};

// The weights given, or ones. For f16 gradients the weights are divided by a power of two that brings the
// largest into [1, 2): weights of 1/N would push them below f16's smallest number before the caller's loss
// scale comes with dy.
RowWeights gradient_weights(const Tensor& weights, const Tensor& h) {
  if (!weights.defined()) return {Tensor::full({h.dim(0)}, 1.0, wide_of(h.dtype()))};
  if (h.dtype() != DType::f16) return {weights};
  double largest = 0.0;
  for (const float weight : weights.span<float>()) largest = std::max(largest, std::fabs(double{weight}));
  if (!(largest > 0.0) || !std::isfinite(largest)) return {weights};
  RowWeights scaled{Tensor(weights.shape(), DType::f32), std::exp2(std::ilogb(largest))};
  axpby(1.0 / scaled.factor, weights, 0.0, scaled.values);
  return scaled;
}

// The gradient of the logits is made in the wide dtype; the products with it run in the dtype of the model.
Tensor in_dtype(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  Tensor y(x.shape(), dtype);
  axpby(1.0, x, 0.0, y);
  return y;
}

size_t row_bytes(const Tensor& x) {
  return static_cast<size_t>(x.numel() / x.dim(0)) * static_cast<size_t>(size_of(x.dtype()));
}

// The gradients [n, k] of the logits of replaced rows, which the head's own have none of: 0 takes their places.
Tensor take_columns(const Tensor& dlogits, const std::vector<int32_t>& ids) {
  Tensor taken({dlogits.dim(0), static_cast<int64_t>(ids.size())}, dlogits.dtype());
  visit_wide(dlogits, [&]<class T>() {
    T* to = taken.data<T>();
    for (int64_t r = 0; r < dlogits.dim(0); ++r) {
      T* const from = dlogits.data<T>() + r * dlogits.dim(1);
      for (const int32_t id : ids) *to++ = std::exchange(from[id], T{0});
    }
  });
  return taken;
}

// Those of a chunk whose gradient by the logits is `dlogits`; the head is ready.
void add_gradients(const Tensor& dlogits, const Tensor& h, const OutputHead& head, const RowGradients& into,
                   bool first) {
  const Tensor& rows = head.replaced.rows;
  if (into.dbias.defined()) {
    backend::run(&KernelTable::sum_rows, backend::SumRowsArgs{dlogits.dim(0), dlogits.dim(1), dlogits.raw(),
                                                              into.dbias.raw(), true, dlogits.dtype()});
  }
  const Tensor own =
      rows.defined() ? in_dtype(take_columns(dlogits, head.replaced.ids), h.dtype()) : Tensor();
  const Tensor narrow = in_dtype(dlogits, h.dtype());
  if (into.dh.defined()) matmul(narrow, head.weight, {}, into.dh);
  if (into.dw.defined()) matmul(narrow, h, {.a = true}, into.dw, !first);
  if (!own.defined()) return;
  if (into.dh.defined()) matmul(own, rows, {}, into.dh, true);
  if (into.drows.defined()) matmul(own, h, {.a = true}, into.drows, !first);
}

}  // namespace

void check_logit_rows(std::string_view op, const Tensor& h, const OutputHead& head, const Tensor& targets,
                      const Tensor& weights) {
  const Tensor& w = head.weight;
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
  expect_optional(op, "bias", head.bias, {w.dim(0)}, wide_of(h.dtype()));
  const std::vector<int32_t>& ids = head.replaced.ids;
  if (const Tensor& rows = head.replaced.rows; rows.defined()) {
    expect_float(op, "replaced rows", rows);
    expect(rows.shape() == Shape{static_cast<int64_t>(ids.size()), h.dim(1)}, op,
           "a row of {} channels for each of {} tokens, got {}", h.dim(1), ids.size(), rows);
    for (const int32_t id : ids)
      expect(id >= 0 && id < w.dim(0), op, "replaced rows below {}, got {}", w.dim(0), id);
  }
  expect_optional(op, "weights", weights, {h.dim(0)}, wide_of(h.dtype()));
}

std::vector<int64_t> rows_in_loss(const Tensor& targets, const Tensor& weights) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < targets.numel(); ++i) {
    const bool weighs =
        !weights.defined() ||
        (weights.dtype() == DType::f64 ? weights.data<double>()[i] != 0.0 : weights.data<float>()[i] != 0.0f);
    if (weighs && targets.data<int32_t>()[i] >= 0) rows.push_back(i);
  }
  return rows;
}

RowGradients wanted_gradients(const Tensor& h, const OutputHead& head, const Tensor& weights) {
  const RowWeights scaled = gradient_weights(weights, h);
  RowGradients g{.weights = scaled.values, .factor = scaled.factor};
  if (autograd::requires_grad(h)) g.dh = Tensor(h.shape(), h.dtype());
  if (autograd::requires_grad(head.weight)) g.dw = Tensor(head.weight.shape(), wide_of(h.dtype()));
  if (autograd::requires_grad(head.bias)) g.dbias = Tensor::zeros(head.bias.shape(), wide_of(h.dtype()));
  if (autograd::requires_grad(head.replaced.rows))
    g.drows = Tensor(head.replaced.rows.shape(), wide_of(h.dtype()));
  return g;
}

OutputHead ready_head(const OutputHead& head, DType dtype) {
  OutputHead ready = head;
  if (is_block(head.weight.dtype())) ready.weight = cast(head.weight, dtype);
  if (head.replaced.rows.defined()) ready.replaced.rows = in_dtype(head.replaced.rows, dtype);
  return ready;
}

void put_logits(const Tensor& own, const std::vector<int32_t>& ids, const Tensor& bias,
                const Tensor& logits) {
  visit_wide(logits, [&]<class T>() {
    const T* from = own.data<T>();
    for (int64_t r = 0; r < own.dim(0); ++r) {
      T* const to = logits.data<T>() + r * logits.dim(1);
      for (const int32_t id : ids) to[id] = *from++ + (bias.defined() ? bias.data<T>()[id] : T{0});
    }
  });
}

void make_logits(const Tensor& h, const OutputHead& head, const Tensor& logits) {
  matmul(h, head.weight, {.b = true}, logits, false, head.bias);
  const auto& [ids, rows] = head.replaced;
  if (!rows.defined()) return;
  const Tensor own({h.dim(0), rows.dim(0)}, logits.dtype());
  matmul(h, rows, {.b = true}, own);
  put_logits(own, ids, head.bias, logits);
}

void for_logit_rows(const Tensor& h, const OutputHead& head, std::span<const int64_t> rows, int64_t at_once,
                    const RowGradients& gradients, const RowLoss& loss) {
  const auto count = static_cast<int64_t>(rows.size());
  const bool all = count == h.dim(0);
  if (count == 0) {
    if (gradients.dh.defined()) gradients.dh.zero();
    if (gradients.dw.defined()) gradients.dw.zero();
    if (gradients.drows.defined()) gradients.drows.zero();
    return;
  }
  const OutputHead ready = ready_head(head, h.dtype());
  const Tensor states = all ? h : gathered(h, rows);
  const Tensor weights =
      all || !gradients.weights.defined() ? gradients.weights : gathered(gradients.weights, rows);
  RowGradients part = gradients;
  if (!all && gradients.dh.defined()) part.dh = Tensor({count, h.dim(1)}, h.dtype());
  const Tensor buffer({std::min(at_once, count), ready.weight.dim(0)}, wide_of(h.dtype()));
  for (int64_t begin = 0; begin < count; begin += at_once) {
    const int64_t end = std::min(begin + at_once, count);
    const Tensor logits = buffer.sliced(0, end - begin), chunk = states.sliced(begin, end);
    make_logits(chunk, ready, logits);
    loss(rows.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)), logits,
         weights.defined() ? weights.sliced(begin, end) : Tensor());
    RowGradients of_chunk = part;
    if (part.dh.defined()) of_chunk.dh = part.dh.sliced(begin, end);
    if (weights.defined()) add_gradients(logits, chunk, ready, of_chunk, begin == 0);
  }
  if (all || !gradients.dh.defined()) return;
  gradients.dh.zero();
  scatter(part.dh, rows, gradients.dh);
}

void give(const RowGradients& gradients, double scale, BackwardContext& inputs) {
  const std::array all{gradients.dh, gradients.dw, gradients.dbias, gradients.drows};
  for (size_t i = 0; i < all.size(); ++i) {
    if (!all[i].defined()) continue;
    if (const double factor = scale * gradients.factor; factor != 1.0) axpby(factor, all[i], 0.0, all[i]);
    inputs.give(i, all[i]);
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

Tensor gathered(const Tensor& x, std::span<const int64_t> rows) {
  Tensor y(x.shape().with(0, static_cast<int64_t>(rows.size())), x.dtype());
  const size_t bytes = row_bytes(x);
  const auto* from = static_cast<const std::byte*>(x.raw());
  auto* to = static_cast<std::byte*>(y.raw());
  for (size_t i = 0; i < rows.size(); ++i)
    std::memcpy(to + i * bytes, from + static_cast<size_t>(rows[i]) * bytes, bytes);
  return y;
}

void scatter(const Tensor& from, std::span<const int64_t> rows, const Tensor& to) {
  const size_t bytes = row_bytes(to);
  const auto* in = static_cast<const std::byte*>(from.raw());
  auto* out = static_cast<std::byte*>(to.raw());
  for (size_t i = 0; i < rows.size(); ++i)
    std::memcpy(out + static_cast<size_t>(rows[i]) * bytes, in + i * bytes, bytes);
}

}  // namespace quern::ops
