#include "ops/attention.h"

#include <cmath>

#include "ops/op_support.h"

namespace quern::ops {

double attention_scale(const AttentionOptions& options, int64_t head_dim) {
  return options.scale != 0.0 ? options.scale : 1.0 / std::sqrt(static_cast<double>(head_dim));
}

void check_mask(const AttentionMask& mask, const Shape& shape, int64_t keys) {
  expect_like("attention", "mask begin", mask.begin, shape, DType::i32);
  expect_like("attention", "mask end", mask.end, shape, DType::i32);
  expect_range("attention", "mask begin", mask.begin, 0, int64_t{1} << 31);
  expect_range("attention", "mask end", mask.end, 0, keys + 1);
}

int64_t bias_batch_stride(const Tensor& bias) {
  return bias.defined() && bias.dim(0) > 1 ? bias.numel() / bias.dim(0) : 0;
}

void check_options(const AttentionOptions& options, const Tensor& q, int64_t keys) {
  expect_optional("attention", "slopes", options.slopes, {q.dim(2)}, DType::f32);
  if (!options.bias.defined()) return;
  const int64_t batch = options.bias.shape().rank() == 4 && options.bias.dim(0) == q.dim(0) ? q.dim(0) : 1;
  expect_like("attention", "a bias", options.bias, {batch, q.dim(2), q.dim(1), keys}, wide_of(q.dtype()));
}

namespace {

void check(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionMask& mask,
           const AttentionOptions& options) {
  expect_float("attention", "query", q);
  expect(q.shape().rank() == 4, "attention", "queries [B, T, H, D], got {}", q);
  expect(k.defined() && k.shape().rank() == 4 && k.dtype() == q.dtype() && k.dim(0) == q.dim(0) &&
             k.dim(3) == q.dim(3) && k.dim(2) > 0 && q.dim(2) % k.dim(2) == 0,
         "attention", "keys [B, S, K, D] for queries {} with K dividing H, got {}", q, k);
  expect_like("attention", "values", v, k.shape(), k.dtype());
  check_options(options, q, k.dim(1));
  check_mask(mask, {q.dim(0), q.dim(1)}, k.dim(1));
}

backend::AttentionArgs arguments(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionMask& mask,
                                 const AttentionOptions& options, const Tensor& y, const Tensor& lse) {
  return {.batch = q.dim(0),
          .queries = q.dim(1),
          .keys = k.dim(1),
          .heads = q.dim(2),
          .kv_heads = k.dim(2),
          .head_dim = q.dim(3),
          .q = q.raw(),
          .k = k.raw(),
          .v = v.raw(),
          .begin = mask.begin.data<int32_t>(),
          .end = mask.end.data<int32_t>(),
          .slopes = static_cast<const float*>(options.slopes.raw()),
          .scale = attention_scale(options, q.dim(3)),
          .softcap = options.softcap,
          .y = y.raw(),
          .lse = lse.raw(),
          .kv_batch_stride = k.dim(1) * k.dim(2) * k.dim(3),
          .dtype = q.dtype(),
          .bias = options.bias.raw(),
          .bias_keys = k.dim(1),
          .bias_batch_stride = bias_batch_stride(options.bias)};
}

Tensor sum_over_batch(const Tensor& gradient, const Shape& shape) {
  return gradient.shape() == shape ? gradient : sum_rows(gradient, shape);
}

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionMask& mask,
                 const AttentionOptions& options) {
  check(q, k, v, mask, options);
  const bool recorded = autograd::recording({&q, &k, &v, &options.bias});
  Tensor y(q.shape(), q.dtype());
  // Saved for backward: q, k, v, the bias, y and the log-sum-exp of each row's scores.
  Tensor lse = recorded ? Tensor({q.dim(0), q.dim(2), q.dim(1)}, wide_of(q.dtype())) : Tensor();
  backend::run(&KernelTable::attention, arguments(q, k, v, mask, options, y, lse));
  if (!recorded) return y;
  AttentionOptions saved = options;
  saved.bias = options.bias.detached();
  autograd::record(
      y, "attention", {q, k, v, options.bias},
      [=, options = std::move(saved), q = q.detached(), k = k.detached(), v = v.detached(), y = y.detached()](
          const Tensor& dy, BackwardContext& inputs) {
        const Tensor dq(q.shape(), q.dtype()), dk(k.shape(), k.dtype()), dv(v.shape(), v.dtype());
        Tensor dbias;
        if (inputs.needs(3)) {
          dbias = Tensor::zeros({q.dim(0), q.dim(2), q.dim(1), k.dim(1)}, wide_of(q.dtype()));
        }
        backend::run(&KernelTable::attention_backward,
                     backend::AttentionBackwardArgs{arguments(q, k, v, mask, options, y, lse), dy.raw(),
                                                    dq.raw(), dk.raw(), dv.raw(), dbias.raw()});
        inputs.give(0, dq);
        inputs.give(1, dk);
        inputs.give(2, dv);
        if (dbias.defined()) inputs.give(3, sum_over_batch(dbias, options.bias.shape()));
      });
  return y;
}

}  // namespace quern::ops
