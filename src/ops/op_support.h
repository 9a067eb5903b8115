// What every op file needs: shape errors that say what was expected and what came, and the call of a kernel.
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "autograd/graph.h"
#include "backend/api/backend.h"
#include "tensor/tensor.h"

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

}  // namespace quern::ops
