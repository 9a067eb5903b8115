#include "ops/replace_rows.h"

#include <cstring>
#include <vector>

#include "ops/op_support.h"

namespace quern::ops {

namespace {

// The places that get rows of the table, and which: i32 [n] each.
struct Places {
  std::vector<int64_t> rows;
  Tensor ids;
};

Places places_of(const Tensor& which) {
  Places places;
  std::vector<int32_t> ids;
  const auto all = which.span<int32_t>();
  for (size_t r = 0; r < all.size(); ++r) {
    if (all[r] < 0) continue;
    places.rows.push_back(static_cast<int64_t>(r));
    ids.push_back(all[r]);
  }
  places.ids = Tensor::from(ids, {static_cast<int64_t>(ids.size())});
  return places;
}

std::byte* row_of(const Tensor& matrix, int64_t row, int64_t bytes) {
  return static_cast<std::byte*>(matrix.raw()) + row * bytes;
}

void check(const Tensor& x, const Tensor& which, const Tensor& table) {
  constexpr const char* kOp = "replace_rows";
  expect_float(kOp, "x", x);
  expect_float(kOp, "table", table);
  expect(x.shape().rank() >= 1 && table.shape().rank() == 2 && table.dim(1) == x.dim(-1), kOp,
         "a table [n, C] for x [..., C], got {} for {}", table, x);
  expect(which.defined() && which.dtype() == DType::i32 && which.numel() == x.shape().rows(), kOp,
         "i32 for each row of {}, got {}", x, which);
  expect_range(kOp, "rows", which, -1, table.dim(0));
}

}  // namespace

Tensor replace_rows(const Tensor& x, const Tensor& which, const Tensor& table) {
  check(x, which, table);
  const Places places = places_of(which);
  const int64_t cols = x.dim(-1), count = places.ids.numel(), row_bytes = bytes_of(x.dtype(), cols);
  const auto copied = static_cast<size_t>(row_bytes);
  Tensor y = x.detached().clone();
  if (count > 0) {
    const Tensor rows({count, cols}, x.dtype());
    backend::run(&KernelTable::embedding,
                 backend::EmbeddingArgs{count, cols, table.dim(0), places.ids.data<int32_t>(), table.raw(),
                                        table.dtype(), rows.raw(), x.dtype()});
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(row_of(y, places.rows[static_cast<size_t>(i)], row_bytes), row_of(rows, i, row_bytes),
                  copied);
  }
  if (!autograd::recording({&x, &table})) return y;
  // Saved for backward: the places.
  autograd::record(y, "replace_rows", {x, table},
                   [=, dtype = x.dtype(), shape = table.shape()](const Tensor& dy, BackwardContext& inputs) {
                     if (inputs.needs(0)) {
                       const Tensor dx = dy.clone();
                       for (const int64_t row : places.rows)
                         std::memset(row_of(dx, row, row_bytes), 0, copied);
                       inputs.give(0, dx);
                     }
                     if (!inputs.needs(1)) return;
                     const Tensor rows({count, cols}, dtype);
                     for (int64_t i = 0; i < count; ++i)
                       std::memcpy(row_of(rows, i, row_bytes),
                                   row_of(dy, places.rows[static_cast<size_t>(i)], row_bytes), copied);
                     // The kernel adds into a wide table; a table that is no leaf collects its gradient in its own dtype.
                     const bool direct = inputs.buffer_dtype(1) == wide_of(dtype);
                     const Tensor dtable = direct ? inputs.buffer(1) : Tensor::zeros(shape, wide_of(dtype));
                     backend::run(
                         &KernelTable::embedding_backward,
                         backend::EmbeddingBackwardArgs{count, cols, shape[0], places.ids.data<int32_t>(),
                                                        rows.raw(), dtype, dtable.raw()});
                     if (!direct) inputs.give(1, dtable);
                   });
  return y;
}

}  // namespace quern::ops
