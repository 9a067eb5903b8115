#include "nn/rotary.h"

#include <algorithm>
#include <bit>
#include <string>

#include "base/exception.h"

namespace quern::nn {

void Rotary::reserve(int64_t count) {
  if (count <= table_.rows()) return;
  if (count > config_.max_positions) {
    throw ShapeError("[rotary] expected positions below " + std::to_string(config_.max_positions) + ", got " +
                     std::to_string(count - 1));
  }
  const auto rows = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(count, 256))));
  table_ = ops::RopeTable(config_, std::min(rows, config_.max_positions));
}

Tensor Rotary::forward(const Tensor& x, const Tensor& positions) const {
  return ops::rope(x, positions, table_);
}

}  // namespace quern::nn
