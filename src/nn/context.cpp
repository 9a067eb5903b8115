#include "nn/context.h"

#include <algorithm>
#include <string>

#include "base/exception.h"

namespace quern::nn {

ForwardContext ForwardContext::causal(int64_t batch, int64_t time) {
  Tensor positions({batch, time}, DType::i32);
  for (int64_t i = 0; i < positions.numel(); ++i)
    positions.data<int32_t>()[i] = static_cast<int32_t>(i % time);
  return packed(positions);
}

ForwardContext ForwardContext::packed(const Tensor& positions) {
  if (positions.dtype() != DType::i32 || positions.shape().rank() != 2) {
    throw ShapeError("[packed] expected positions i32[B, T], got " + positions.describe());
  }
  const int64_t time = positions.dim(1);
  Tensor starts(positions.shape(), DType::i32);
  for (int64_t i = 0; i < positions.numel(); ++i) {
    const int32_t position = positions.data<int32_t>()[i];
    if (position < 0) throw ShapeError("[packed] expected positions >= 0, got " + std::to_string(position));
    starts.data<int32_t>()[i] = std::max(0, static_cast<int32_t>(i % time) - position);
  }
  ForwardContext context;
  context.positions = positions;
  context.mask = ops::causal_mask(positions.dim(0), time, {.document_starts = starts});
  return context;
}

ops::AttentionMask narrowed(const ops::AttentionMask& mask, int64_t window) {
  if (window == 0) return mask;
  ops::AttentionMask result{Tensor(mask.begin.shape(), DType::i32), mask.end};
  for (int64_t i = 0; i < mask.begin.numel(); ++i) {
    const int64_t first = mask.end.data<int32_t>()[i] - window;
    result.begin.data<int32_t>()[i] =
        static_cast<int32_t>(std::max<int64_t>(mask.begin.data<int32_t>()[i], first));
  }
  return result;
}

}  // namespace quern::nn
