#include "ops/embedding.h"

#include <vector>

#include "ops/cast.h"
#include "ops/op_support.h"

namespace quern::ops {

namespace {
Shape with_channels(const Shape& shape, int64_t channels) {
  std::vector<int64_t> extents(shape.extents().begin(), shape.extents().end());
  extents.push_back(channels);
  return Shape(extents);
}

// The rows of a block-quantised table.
Tensor decoded_rows(const Tensor& ids, const Tensor& w) {
  Tensor y(with_channels(ids.shape(), w.dim(1)), DType::f32);
  float* to = y.data<float>();
  for (const int32_t id : ids.span<int32_t>()) {
    const Tensor row = w.sliced(id, id + 1);
    backend::run(&KernelTable::decode_rows,
                 backend::DecodeRowsArgs{1, w.dim(1), row.raw(), w.dtype(), to, DType::f32, row.scales()});
    to += w.dim(1);
  }
  return y;
}

}  // namespace

Tensor embedding(const Tensor& ids, const Tensor& w, DType dtype) {
  expect(w.defined() && (is_float(w.dtype()) || is_block(w.dtype())), "embedding",
         "a floating or block-quantised weight, got {}", w);
  expect(w.shape().rank() == 2, "embedding", "a weight [V, C], got {}", w);
  expect(ids.defined() && ids.dtype() == DType::i32, "embedding", "i32 ids, got {}", ids);
  expect(is_float(dtype), "embedding", "a floating output, got {}", name_of(dtype));
  expect_range("embedding", "ids", ids, 0, w.dim(0));
  const int64_t vocab = w.dim(0), cols = w.dim(1);
  if (is_block(w.dtype())) return cast(decoded_rows(ids, w), dtype);
  Tensor y(with_channels(ids.shape(), cols), dtype);
  backend::run(&KernelTable::embedding, backend::EmbeddingArgs{ids.numel(), cols, vocab, ids.data<int32_t>(),
                                                               w.raw(), w.dtype(), y.raw(), dtype});
  if (!autograd::recording({&w})) return y;
  // Saved for backward: ids.
  autograd::record(y, "embedding", {w}, [=, shape = w.shape()](const Tensor& dy, BackwardContext& inputs) {
    // The kernel adds into a wide table; a weight that is no leaf collects its gradient in its own dtype.
    const bool direct = inputs.buffer_dtype(0) == wide_of(dtype);
    const Tensor dw = direct ? inputs.buffer(0) : Tensor::zeros(shape, wide_of(dtype));
    backend::run(&KernelTable::embedding_backward,
                 backend::EmbeddingBackwardArgs{ids.numel(), cols, vocab, ids.data<int32_t>(), dy.raw(),
                                                dtype, dw.raw()});
    if (!direct) inputs.give(0, dw);
  });
  return y;
}

}  // namespace quern::ops
