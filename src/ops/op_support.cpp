#include "ops/op_support.h"

namespace quern::ops {

void expect_float(std::string_view op, std::string_view what, const Tensor& tensor) {
  expect(tensor.defined() && is_float(tensor.dtype()), op, "a floating {}, got {}", what, tensor.describe());
}

}  // namespace quern::ops
