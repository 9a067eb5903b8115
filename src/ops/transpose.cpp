#include "ops/transpose.h"

#include <algorithm>

#include "base/threads.h"
#include "ops/op_support.h"

namespace quern::ops {

namespace {

template <class T>
void transpose_matrices(const Tensor& x, const Tensor& y) {
  const int64_t rows = x.dim(-2), cols = x.dim(-1);
  parallel_for(y.numel() / std::max<int64_t>(rows, 1), kCopyGrain / std::max<int64_t>(rows, 1),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {  // row i % cols of matrix i / cols of y
                   const T* from = x.data<T>() + i / cols * rows * cols + i % cols;
                   T* to = y.data<T>() + i * rows;
                   for (int64_t r = 0; r < rows; ++r) to[r] = from[r * cols];
                 }
               });
}

}  // namespace

Tensor transpose(const Tensor& x) {
  expect_float("transpose", "input", x);
  expect(x.shape().rank() >= 2, "transpose", "a matrix [..., M, N], got {}", x);
  Tensor y(x.shape().with(-2, x.dim(-1)).with(-1, x.dim(-2)), x.dtype());
  visit_float(x.dtype(), [&]<class T>() { transpose_matrices<T>(x, y); });
  if (!autograd::recording({&x})) return y;
  autograd::record(y, "transpose", {x},
                   [](const Tensor& dy, BackwardContext& inputs) { inputs.give(0, transpose(dy)); });
  return y;
}

}  // namespace quern::ops
