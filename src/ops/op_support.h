// What every op file needs: shape errors that say what was expected and what came, and the call of a kernel.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "autograd/graph.h"
#include "backend/api/backend.h"
#include "tensor/tensor.h"

// In the arguments of expect(), which describes them where an error is made alone: ops are called thousands of times for each
// token.
template <>
struct fmt::formatter<quern::Tensor> : fmt::formatter<std::string> {
  auto format(const quern::Tensor& tensor, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(tensor.describe(), context);
  }
};
template <>
struct fmt::formatter<quern::Shape> : fmt::formatter<std::string> {
  auto format(const quern::Shape& shape, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(shape.to_string(), context);
  }
};

namespace quern::ops {

using autograd::BackwardContext;
using backend::KernelTable;

// Throws ShapeError("[op] expected <expected>, got <got>") unless `condition` holds.
template <class... Args>
void expect(bool condition, std::string_view op, fmt::format_string<Args...> expected, Args&&... args) {
  if (!condition) {
    throw ShapeError(fmt::format("[{}] expected {}", op, fmt::format(expected, std::forward<Args>(args)...)));
  }
}

// Throws unless `tensor` is defined and of a floating dtype.
void expect_float(std::string_view op, std::string_view what, const Tensor& tensor);
// Throws unless `tensor` has exactly this shape and dtype.
void expect_like(std::string_view op, std::string_view what, const Tensor& tensor, const Shape& shape,
                 DType dtype);
// The same for an optional tensor: undefined passes.
void expect_optional(std::string_view op, std::string_view what, const Tensor& tensor, const Shape& shape,
                     DType dtype);
// Throws unless every element of the i32 tensor lies in [lowest, limit).
void expect_range(std::string_view op, std::string_view what, const Tensor& ints, int64_t lowest,
                  int64_t limit);

// The tensor as a matrix: all dimensions but the last become rows.
Tensor as_matrix(const Tensor& tensor);

// C[m,n] = A·B (+ bias) (+ C when accumulate) on matrices; a transposed operand is stored the other way
// round.
struct Transposed {
  bool a = false;
  bool b = false;
};
void matmul(const Tensor& a, const Tensor& b, Transposed transposed, const Tensor& c, bool accumulate = false,
            const Tensor& bias = {});

// y = alpha * x + beta * y elementwise, converting dtypes; x and y may be the same tensor.
void axpby(double alpha, const Tensor& x, double beta, const Tensor& y);

// `gradient` of `rows` x C summed over its rows, in the wide dtype: the gradient of an operand that was
// repeated.
Tensor sum_rows(const Tensor& gradient, const Shape& shape);

// Elements that are copied or clamped: below it a thread costs more than it brings.
inline constexpr int64_t kCopyGrain = int64_t{1} << 15;

}  // namespace quern::ops
