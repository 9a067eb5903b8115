#include "ops/rope.h"

#include "ops/op_support.h"

namespace quern::ops {

namespace {

// Which row of the table each position has.
Tensor rows_of(const Tensor& positions, const RopeTable& table) {
  if (table.begin() == 0) return positions;
  Tensor rows = positions.clone();
  for (int32_t& row : rows.span<int32_t>()) row -= static_cast<int32_t>(table.begin());
  return rows;
}

Tensor rotated(const Tensor& x, const Tensor& positions, const RopeTable& table, bool inverse) {
  Tensor y(x.shape(), x.dtype());
  const Tensor rows = rows_of(positions, table);
  backend::run(&KernelTable::rope,
               backend::RopeArgs{positions.numel(), x.dim(2), x.dim(3), table.config().rotary,
                                 rows.data<int32_t>(), table.cos().data<float>(), table.sin().data<float>(),
                                 table.config().half_split, inverse, x.raw(), y.raw(), x.dtype()});
  return y;
}

void check(const Tensor& x, const Tensor& positions, const RopeTable& table) {
  expect_float("rope", "input", x);
  expect(x.shape().rank() == 4 && x.dim(3) >= table.config().rotary, "rope",
         "input [B, T, H, D] with D >= {} rotary channels, got {}", table.config().rotary, x);
  expect_like("rope", "positions", positions, {x.dim(0), x.dim(1)}, DType::i32);
  expect_range("rope", "positions", positions, table.begin(), table.end());
}
}  // namespace

Tensor rope(const Tensor& x, const Tensor& positions, const RopeTable& table) {
  check(x, positions, table);
  Tensor y = rotated(x, positions, table, false);
  if (!autograd::recording({&x})) return y;
  // Saved for backward: positions and the table.
  autograd::record(y, "rope", {x}, [positions, table](const Tensor& dy, BackwardContext& inputs) {
    inputs.give(0, rotated(dy, positions, table, true));
  });
  return y;
}

Tensor rope_back(const Tensor& x, const Tensor& positions, const RopeTable& table) {
  check(x, positions, table);
  return rotated(x, positions, table, true);
}

}  // namespace quern::ops
