#include "ops/cast.h"

#include "ops/op_support.h"

namespace quern::ops {

namespace {
// To f32, f16 or bf16.
Tensor decode(const Tensor& x, DType dtype) {
  Tensor y(x.shape(), dtype);
  backend::run(&KernelTable::decode_rows, backend::DecodeRowsArgs{x.shape().rows(), x.shape().cols(), x.raw(),
                                                                  x.dtype(), y.raw(), dtype, x.scales()});
  return y;
}
}  // namespace

Tensor cast(const Tensor& x, DType dtype) {
  expect(is_float(dtype), "cast", "a floating dtype, got {}", name_of(dtype));
  if (x.defined() && is_block(x.dtype()))
    return dtype == DType::f64 ? cast(decode(x, DType::f32), dtype) : decode(x, dtype);
  expect_float("cast", "input", x);
  if (x.dtype() == dtype) return x;
  Tensor y(x.shape(), dtype);
  axpby(1.0, x, 0.0, y);
  if (!autograd::recording({&x})) return y;
  autograd::record(y, "cast", {x}, [](const Tensor& dy, BackwardContext& inputs) { inputs.give(0, dy); });
  return y;
}

DType plain_dtype(const Tensor& x) {
  if (has_scales_beside(x.dtype())) return x.scales().dtype;
  return is_block(x.dtype()) ? DType::f16 : x.dtype();
}

}  // namespace quern::ops
