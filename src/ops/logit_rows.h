// What losses over a vocabulary have in common: the logits of rows are made a few rows at a time, rows that have no part in
// the loss make none, and gradients are made on the way, so that logits [N, V] never exist.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "ops/op_support.h"
#include "ops/output_head.h"
#include "tensor/tensor.h"

namespace quern::ops {

// The gradients of sum over rows of weight * loss, by states and head, where they are wanted.
struct RowGradients {
  Tensor weights = {};  // wide [N], already divided by `factor`; undefined: none is wanted
  Tensor dh = {};       // [N, C] in the dtype of the states
  Tensor dw = {};       // wide [V, C]
  Tensor dbias = {};    // wide [V]
  Tensor drows = {};    // wide [n, C]: of the rows that replace some of the head's
  double factor = 1.0;  // that is still to come
};

// Throws ShapeError unless they fit each other, targets are i32 [N] below V, and `weights` are undefined or wide [N].
void check_logit_rows(std::string_view op, const Tensor& h, const OutputHead& head, const Tensor& targets,
                      const Tensor& weights);

// Rows whose weight is not 0 and whose target is not negative. weights: undefined for ones.
std::vector<int64_t> rows_in_loss(const Tensor& targets, const Tensor& weights);

// Those that h and the tensors of the head ask for. weights: undefined for ones.
RowGradients wanted_gradients(const Tensor& h, const OutputHead& head, const Tensor& weights);

// Calls f.operator()<T>() with the type of a wide tensor.
template <class F>
void visit_wide(const Tensor& x, F&& f) {
  if (x.dtype() == DType::f64) return f.template operator()<double>();
  f.template operator()<float>();
}

// The head as products with states of `dtype` read it: without blocks, replaced rows of that dtype.
OutputHead ready_head(const OutputHead& head, DType dtype);

// `own` [n, k], what rows of the tokens `ids` make of n states, with the bias [V] where it is defined, becomes the logits of these
// tokens in `logits` [n, V]; all wide.
void put_logits(const Tensor& own, const std::vector<int32_t>& ids, const Tensor& bias, const Tensor& logits);

// Makes the wide logits [n, V], soft-cap still to come, of states h [n, C] and a head that is ready for them.
void make_logits(const Tensor& h, const OutputHead& head, const Tensor& logits);

// What a loss makes of the wide logits [n, V], soft-cap still to come, of the n rows `rows` of h. Where `weights` (wide [n])
// are defined it leaves the gradient of the sum of weights * losses in place of the logits.
using RowLoss =
    std::function<void(std::span<const int64_t> rows, const Tensor& logits, const Tensor& weights)>;

// Calls `loss` for `rows` of h, at most `at_once` (> 0) at a time, and makes the gradients of them; other rows of dh are 0.
void for_logit_rows(const Tensor& h, const OutputHead& head, std::span<const int64_t> rows, int64_t at_once,
                    const RowGradients& gradients, const RowLoss& loss);

// Hands the gradients, times `scale`, to the inputs of a recorded op: h, and weight, bias and replaced.rows of the head.
void give(const RowGradients& gradients, double scale, BackwardContext& inputs);

// sum of weights * losses, a wide scalar []; weights: undefined for ones.
Tensor weighted_sum(const Tensor& losses, const Tensor& weights);

// The rows `rows` of x [N] or [N, C], brought together.
Tensor gathered(const Tensor& x, std::span<const int64_t> rows);
// The way back: row i of `from` becomes row rows[i] of `to`.
void scatter(const Tensor& from, std::span<const int64_t> rows, const Tensor& to);

}  // namespace quern::ops
