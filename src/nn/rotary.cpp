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

Tensor Rotary::turned_back(const Tensor& x, int64_t distance) const {
  ops::RopeConfig turn = config_;
  turn.attention_factor = 1.0;  // x has been scaled already
  Tensor positions({x.dim(0), x.dim(1)}, DType::i32);
  positions.fill(static_cast<double>(distance));
  return ops::rope_back(x, positions, ops::RopeTable(turn, distance + 1));
}

}  // namespace quern::nn
