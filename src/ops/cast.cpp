#include "ops/cast.h"

#include "ops/op_support.h"

namespace quern::ops {

namespace {
Tensor decode(const Tensor& x) {
  Tensor y(x.shape(), DType::f32);
  backend::run(&KernelTable::decode_rows, backend::DecodeRowsArgs{x.shape().rows(), x.shape().cols(), x.raw(),
                                                                  x.dtype(), y.data<float>(), x.scales()});
  return y;
}
}  // namespace

Tensor cast(const Tensor& x, DType dtype) {
  if (x.defined() && is_block(x.dtype())) return cast(decode(x), dtype);
  expect_float("cast", "input", x);
  expect(is_float(dtype), "cast", "a floating dtype, got {}", name_of(dtype));
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
