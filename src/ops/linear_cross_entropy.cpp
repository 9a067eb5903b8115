#include "ops/linear_cross_entropy.h"

#include <algorithm>
#include <span>
#include <vector>

#include "base/threads.h"
#include "ops/logit_rows.h"
#include "ops/op_support.h"

namespace quern::ops {

namespace {

OutputHead head_of(const Tensor& w, const CrossEntropyOptions& options) {
  return {w, options.bias, options.softcap, options.replaced};
}

void check(const char* op, const Tensor& h, const Tensor& w, const Tensor& targets,
           const CrossEntropyOptions& options) {
  check_logit_rows(op, h, head_of(w, options), targets, options.weights);
  expect(options.label_smoothing >= 0.0 && options.label_smoothing < 1.0, op,
         "a label smoothing from 0 to below 1, got {}", options.label_smoothing);
  expect(options.label_smoothing == 0.0 || options.softcap == 0.0, op, "no label smoothing beside a softcap");
}

// What label smoothing e adds to the losses of rows of logits [n, V]: e (logit of the target - mean logit).
std::vector<double> smoothing_losses(const Tensor& logits, const Tensor& targets, double e) {
  const int64_t vocab = logits.dim(1);
  std::vector<double> added(static_cast<size_t>(logits.dim(0)));
  visit_wide(logits, [&]<class T>() {
    parallel_for(logits.dim(0), 1 + kCopyGrain / vocab, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const T* const row = logits.data<T>() + r * vocab;
        double sum = 0.0;
        for (int64_t c = 0; c < vocab; ++c) sum += static_cast<double>(row[c]);
        const auto target = static_cast<double>(row[targets.data<int32_t>()[r]]);
        added[static_cast<size_t>(r)] = e * (target - sum / static_cast<double>(vocab));
      }
    });
  });
  return added;
}

// Adds `added` to the losses, and where there are weights, its gradient to that of the logits: e (onehot - 1 / V) * weight.
void smooth(const Tensor& losses, const std::vector<double>& added, const Tensor& gradient,
            const Tensor& targets, const Tensor& weights, double e) {
  const int64_t vocab = gradient.dim(1);
  visit_wide(gradient, [&]<class T>() {
    parallel_for(gradient.dim(0), 1 + kCopyGrain / vocab, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        losses.data<T>()[r] += static_cast<T>(added[static_cast<size_t>(r)]);
        if (!weights.defined()) continue;
        const T share = static_cast<T>(e) * weights.data<T>()[r];
        T* const row = gradient.data<T>() + r * vocab;
        for (int64_t c = 0; c < vocab; ++c) row[c] -= share / static_cast<T>(vocab);
        row[targets.data<int32_t>()[r]] += share;
      }
    });
  });
}

// The losses, wide [N], and `gradients`, of the rows that count by `weights`.
Tensor run(const Tensor& h, const Tensor& w, const Tensor& targets, const Tensor& weights,
           const CrossEntropyOptions& options, const RowGradients& gradients) {
  // Rows of logits computed at a time: few enough to stay near the cache, enough to keep the products efficient.
  const int64_t bytes = w.dim(0) * size_of(wide_of(h.dtype()));
  const int64_t at_once =
      options.chunk_rows > 0 ? options.chunk_rows : std::max(kFewestLogitRows, kLogitChunkBytes / bytes);
  Tensor losses = Tensor::zeros({h.dim(0)}, wide_of(h.dtype()));
  const double e = options.label_smoothing;
  for_logit_rows(
      h, head_of(w, options), rows_in_loss(targets, weights), at_once, gradients,
      [&](std::span<const int64_t> rows, const Tensor& logits, const Tensor& row_weights) {
        const Tensor found({logits.dim(0)}, losses.dtype());
        const Tensor wanted = gathered(targets, rows);
        const bool gradient = row_weights.defined();
        const std::vector<double> added =
            e > 0.0 ? smoothing_losses(logits, wanted, e) : std::vector<double>();
        backend::run(&KernelTable::cross_entropy,
                     backend::CrossEntropyArgs{logits.dim(0), logits.dim(1), logits.raw(),
                                               wanted.data<int32_t>(), gradient ? row_weights.raw() : nullptr,
                                               found.raw(), gradient, options.softcap, logits.dtype()});
        if (!added.empty()) smooth(found, added, logits, wanted, row_weights, e);
        scatter(found, rows, losses);
      });
  return losses;
}

}  // namespace

Tensor linear_cross_entropy(const Tensor& h, const Tensor& w, const Tensor& targets,
                            const CrossEntropyOptions& options) {
  check("linear_cross_entropy", h, w, targets, options);
  const bool recorded = autograd::recording({&h, &w, &options.bias, &options.replaced.rows});
  RowGradients gradients;
  if (recorded) gradients = wanted_gradients(h, head_of(w, options), options.weights);
  const Tensor losses =
      run(h, w, targets, recorded ? gradients.weights : options.weights, options, gradients);
  Tensor loss = weighted_sum(losses, options.weights);
  if (!recorded) return loss;
  // Saved for backward: the gradients, which only wait for dy.
  gradients.weights = Tensor();
  autograd::record(
      loss, "linear_cross_entropy", {h, w, options.bias, options.replaced.rows},
      [gradients](const Tensor& dy, BackwardContext& inputs) { give(gradients, dy.item(), inputs); });
  return loss;
}

Tensor linear_row_losses(const Tensor& h, const Tensor& w, const Tensor& targets,
                         const CrossEntropyOptions& options) {
  check("linear_row_losses", h, w, targets, options);
  expect(!options.weights.defined(), "linear_row_losses", "no weights, got {}", options.weights);
  Tensor losses = run(h, w, targets, {}, options, {});
  if (!autograd::recording({&h, &w, &options.bias, &options.replaced.rows})) return losses;
  autograd::record(losses, "linear_row_losses", {h, w, options.bias, options.replaced.rows},
                   [h, w, targets, options](const Tensor& dy, BackwardContext& inputs) {
                     const RowGradients gradients = wanted_gradients(h, head_of(w, options), dy);
                     run(h, w, targets, gradients.weights, options, gradients);
                     give(gradients, 1.0, inputs);
                   });
  return losses;
}

}  // namespace quern::ops
