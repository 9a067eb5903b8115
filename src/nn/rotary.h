// Rotary positions (RoFormer, arXiv 2104.09864): the angle table that the layers of a model share.
#pragma once

#include "nn/context.h"
#include "ops/rope.h"

namespace quern::nn {

// The table grows with the positions that are asked for, so a model of a long context starts at once. Growing
// is not thread-safe; forward is.
class Rotary {
 public:
  // config.max_positions bounds the positions.
  explicit Rotary(const ops::RopeConfig& config) : config_(config) {}

  // Makes the table cover positions [0, count). Throws ShapeError past max_positions.
  void reserve(int64_t count);
  // x [B, T, H, D] rotated by the angles of positions (i32 [B, T]).
  Tensor forward(const Tensor& x, const Tensor& positions) const;
  // Rotated x as it is at positions lower by `distance`, which is below max_positions. Not recorded.
  Tensor turned_back(const Tensor& x, int64_t distance) const;

 private:
  ops::RopeConfig config_;
  ops::RopeTable table_;
};

}  // namespace quern::nn
