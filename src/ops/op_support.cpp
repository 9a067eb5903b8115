#include "ops/op_support.h"

#include <algorithm>

namespace quern::ops {

void expect_float(std::string_view op, std::string_view what, const Tensor& tensor) {
  expect(tensor.defined() && is_float(tensor.dtype()), op, "a floating {}, got {}", what, tensor);
}

void expect_like(std::string_view op, std::string_view what, const Tensor& tensor, const Shape& shape,
                 DType dtype) {
  expect(tensor.defined() && tensor.shape() == shape && tensor.dtype() == dtype, op, "{} of {}{}, got {}",
         what, name_of(dtype), shape, tensor);
}

void expect_optional(std::string_view op, std::string_view what, const Tensor& tensor, const Shape& shape,
                     DType dtype) {
  if (tensor.defined()) expect_like(op, what, tensor, shape, dtype);
}

void expect_range(std::string_view op, std::string_view what, const Tensor& ints, int64_t lowest,
                  int64_t limit) {
  for (const int32_t value : ints.span<int32_t>()) {
    expect(value >= lowest && value < limit, op, "{} in [{}, {}), got {}", what, lowest, limit, value);
  }
}

Tensor as_matrix(const Tensor& tensor) {
  return tensor.reshaped({tensor.shape().rows(), tensor.shape().cols()});
}

void matmul(const Tensor& a, const Tensor& b, Transposed transposed, const Tensor& c, bool accumulate,
            const Tensor& bias) {
  const int64_t k = a.dim(transposed.a ? 0 : 1);
  if (k == 0 && !accumulate) c.zero();
  if (k == 0 || c.numel() == 0) return;
  backend::run(&KernelTable::gemm,
               backend::GemmArgs{c.dim(0), c.dim(1), k, a.raw(), a.dtype(), transposed.a, b.raw(), b.dtype(),
                                 transposed.b, c.raw(), c.dtype(), bias.raw(), accumulate});
}

void axpby(double alpha, const Tensor& x, double beta, const Tensor& y) {
  backend::run(&KernelTable::axpby,
               backend::AxpbyArgs{x.numel(), alpha, beta, x.raw(), x.dtype(), y.raw(), y.dtype()});
}

Tensor sum_rows(const Tensor& gradient, const Shape& shape) {
  Tensor sums(shape, wide_of(gradient.dtype()));
  const int64_t rows = shape.numel() == 0 ? 0 : gradient.numel() / shape.numel();
  backend::run(&KernelTable::sum_rows, backend::SumRowsArgs{rows, shape.numel(), gradient.raw(), sums.raw(),
                                                            false, gradient.dtype()});
  return sums;
}

}  // namespace quern::ops
