#include <algorithm>
#include <bit>
#include <cmath>

#include "ops/attention.h"
#include "ops/op_support.h"

namespace quern::ops {

AttentionMask causal_mask(int64_t batch, int64_t queries, const CausalMaskOptions& options) {
  expect(options.past >= 0 && options.window >= 0, "causal_mask", "past and window >= 0, got {} and {}",
         options.past, options.window);
  const Tensor& starts = options.document_starts;
  expect_optional("causal_mask", "document starts", starts, {batch, queries}, DType::i32);
  AttentionMask mask{Tensor({batch, queries}, DType::i32), Tensor({batch, queries}, DType::i32)};
  for (int64_t i = 0; i < batch * queries; ++i) {
    const int64_t end = options.past + i % queries + 1;
    const int64_t window_begin = options.window > 0 ? end - options.window : 0;
    const int64_t document_begin = starts.defined() ? starts.data<int32_t>()[i] : 0;
    mask.begin.data<int32_t>()[i] = static_cast<int32_t>(std::max(window_begin, document_begin));
    mask.end.data<int32_t>()[i] = static_cast<int32_t>(end);
  }
  return mask;
}

AttentionMask full_mask(int64_t batch, int64_t queries, int64_t keys) {
  return {Tensor::zeros({batch, queries}, DType::i32),
          Tensor::full({batch, queries}, static_cast<double>(keys), DType::i32)};
}

Tensor alibi_slopes(int64_t heads, double max_bias) {
  expect(heads >= 1, "alibi_slopes", "at least one head, got {}", heads);
  const int64_t power = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(heads)));
  Tensor slopes({heads}, DType::f32);
  for (int64_t h = 0; h < heads; ++h) {
    const double step = h < power ? static_cast<double>(h + 1) : static_cast<double>(h - power) + 0.5;
    slopes.data<float>()[h] = static_cast<float>(std::exp2(-max_bias * step / static_cast<double>(power)));
  }
  return slopes;
}

}  // namespace quern::ops
