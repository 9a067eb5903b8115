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
  context.text_length = time;
  context.mask = ops::causal_mask(positions.dim(0), time, {.document_starts = starts});
  return context;
}

ForwardContext ForwardContext::padded(std::span<const int64_t> lengths, int64_t time) {
  const auto batch = static_cast<int64_t>(lengths.size());
  ForwardContext context;
  context.positions = Tensor({batch, time}, DType::i32);
  context.mask = ops::full_mask(batch, time, time);
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t length = lengths[static_cast<size_t>(b)];
    if (length < 0 || length > time) {
      throw ShapeError("[padded] expected lengths of at most " + std::to_string(time) + ", got " +
                       std::to_string(length));
    }
    for (int64_t t = 0; t < time; ++t) {
      context.positions.data<int32_t>()[b * time + t] = static_cast<int32_t>(t);
      context.mask.end.data<int32_t>()[b * time + t] = static_cast<int32_t>(length);
    }
  }
  return context;
}

int64_t text_length(const ForwardContext& context) {
  const auto positions = context.positions.span<int32_t>();
  const int64_t reached = positions.empty() ? 0 : std::ranges::max(positions) + int64_t{1};
  return std::max(context.text_length, reached);
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
