// Rotary positions (RoFormer, arXiv 2104.09864): the angle table that the layers of a model share.
#pragma once

#include "nn/context.h"
#include "ops/rope.h"

namespace quern::nn {

// Tables grow with the positions that are asked for, so a model of a long context starts at once. Growing is not
// thread-safe; forward is.
class Rotary {
 public:
  // config.max_positions bounds the positions.
  explicit Rotary(const ops::RopeConfig& config) : config_(config) {}

  // Has a table ready for positions [begin, end) in a text of `length` tokens. Throws ShapeError past max_positions.
  void reserve(int64_t begin, int64_t end, int64_t length);
  // x [B, T, H, D] rotated by the angles that context.positions have in a text of text_length(context) tokens.
  Tensor forward(const Tensor& x, const ForwardContext& context) const;
  // Rotated x as it is at positions lower by `distance`, which is below max_positions; both in texts that turn as one
  // of `length` tokens. Not recorded.
  Tensor turned_back(const Tensor& x, int64_t distance, int64_t length) const;

 private:
  ops::RopeConfig config_;
  std::vector<ops::RopeTable> tables_;  // of different rope_length()
};

}  // namespace quern::nn
