// One block of each writable block type, from its elements. See quant/quantize.h for whole tensors.
//
// `x` has the elements of one block, none beyond the range of f16. `importance`, when given, has one positive
// weight per element: how much an error there costs (an importance matrix: the mean square of the activations
// that meet the column).
#pragma once

#include <cmath>

#include "tensor/block_formats.h"

namespace quern::quant {

// Without importance: rounding to levels between the extremes of the block, as the types were first
// published.
void encode(const float* x, const float* importance, BlockQ4_0& block);
void encode(const float* x, const float* importance, BlockQ4_1& block);
void encode(const float* x, const float* importance, BlockQ5_0& block);
void encode(const float* x, const float* importance, BlockQ5_1& block);
void encode(const float* x, const float* importance, BlockQ8_0& block);   // importance has no effect
void encode(const float* x, const float* importance, BlockMXFP4& block);  // importance has no effect

// Scales by weighted least squares. Without importance, large elements weigh more.
void encode(const float* x, const float* importance, BlockQ2_K& block);
void encode(const float* x, const float* importance, BlockQ3_K& block);
void encode(const float* x, const float* importance, BlockQ4_K& block);
void encode(const float* x, const float* importance, BlockQ5_K& block);
void encode(const float* x, const float* importance, BlockQ6_K& block);
void encode(const float* x, const float* importance, BlockIQ4_NL& block);
void encode(const float* x, const float* importance, BlockIQ4_XS& block);

// The nearest f16, the largest finite one at most: an infinite scale would decode to NaN.
inline float16 to_scale(float value) {
  constexpr float kLargest = 65504.0f;
  return float16(value > kLargest ? kLargest : value < -kLargest ? -kLargest : value);
}

// 1 / scale, or 0 where that overflows: the block is all zeros then, as f16 has no such scale.
inline float inverse_of(float scale) {
  const float inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
  return std::isfinite(inverse) ? inverse : 0.0f;
}

// The mean of x^2, and the weights importance * sqrt(2 * mean square + x^2).
float mean_square(const float* x, int count);
void weigh(const float* x, const float* importance, float mean_square, int count, float* weights);

}  // namespace quern::quant
