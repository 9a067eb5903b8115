// What one training or evaluation step consumes.
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace quern::data {

// B rows of T tokens.
struct BatchShape {
  int64_t batch = 0;
  int64_t sequence = 0;
};

// A target that does not count: padding, or text the loss mask leaves out.
inline constexpr int32_t kIgnoredTarget = -1;

// Four i32 [B, T] tensors. A row holds one or more pieces of documents; attention and targets stay inside a
// piece.
struct Batch {
  Tensor tokens;
  Tensor targets;            // the token that follows, or kIgnoredTarget
  Tensor document_start;     // index within the row of the first token of the piece this token belongs to
  Tensor positions;          // index within the piece
  int64_t target_count = 0;  // targets that count
};

}  // namespace quern::data
