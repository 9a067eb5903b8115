// Blocks of 32 with one scale: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, MXFP4. Without importance the bytes are those of
// ggml.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "quant/encode.h"
#include "quant/fit.h"

namespace quern::quant {

namespace {

constexpr int kBlock = 32;

float signed_largest(const float* x) {
  float largest = 0.0f;
  for (int i = 0; i < kBlock; ++i) {
    if (std::fabs(x[i]) > std::fabs(largest)) largest = x[i];
  }
  return largest;
}

// The scale that takes the largest element to the lowest of 2 * zero levels, or the one that fits best.
float symmetric_scale(const float* x, const float* importance, int zero) {
  if (importance == nullptr) return signed_largest(x) / static_cast<float>(-zero);
  float weights[kBlock];
  weigh(x, importance, mean_square(x, kBlock), kBlock, weights);
  return fit_scale(std::span(x, kBlock), weights, UniformLevels{-zero, zero - 1});
}

// The levels of x * inverse + shift, halves away from 0, as 0..top.
void round_levels(const float* x, float offset, float inverse, float shift, int top, uint8_t* q) {
  for (int i = 0; i < kBlock; ++i) {
    const float level = (x[i] - offset) * inverse + shift;
    q[i] = static_cast<uint8_t>(std::clamp(static_cast<int>(level), 0, top));
  }
}

void encode_symmetric(const float* x, const float* importance, int zero, float16& d, uint8_t* q) {
  const float scale = symmetric_scale(x, importance, zero);
  d = to_scale(scale);
  round_levels(x, 0.0f, inverse_of(scale), static_cast<float>(zero) + 0.5f, 2 * zero - 1, q);
}

void encode_affine(const float* x, const float* importance, int top, float16& d, float16& m, uint8_t* q) {
  const auto extremes = std::minmax_element(x, x + kBlock);
  const float low = *extremes.first, high = *extremes.second;
  float scale = (high - low) / static_cast<float>(top), least = low;
  if (importance != nullptr) {
    // fit_affine keeps 0 among the values; here any offset will do, so the group is moved to end there.
    float weights[kBlock], moved[kBlock];
    weigh(x, importance, mean_square(x, kBlock), kBlock, weights);
    std::transform(x, x + kBlock, moved, [high](float value) { return value - high; });
    const Affine fit = fit_affine(moved, weights, top);
    scale = fit.scale;
    least = high - fit.min;
  }
  d = to_scale(scale);
  m = to_scale(least);
  round_levels(x, least, inverse_of(scale), 0.5f, top, q);
}

// The low nibbles of q, elements j and j + 16 in one byte.
void pack_nibbles(const uint8_t* q, uint8_t* qs) {
  for (int j = 0; j < kBlock / 2; ++j)
    qs[j] = static_cast<uint8_t>((q[j] & 15) | (q[j + kBlock / 2] & 15) << 4);
}

void pack_fifth_bits(const uint8_t* q, uint8_t* qh) {
  uint32_t bits = 0;
  for (int j = 0; j < kBlock; ++j) bits |= static_cast<uint32_t>(q[j] >> 4) << j;
  std::memcpy(qh, &bits, sizeof bits);
}

}  // namespace

float mean_square(const float* x, int count) {
  float sum = 0.0f;
  for (int i = 0; i < count; ++i) sum += x[i] * x[i];
  return sum / static_cast<float>(count);
}

void weigh(const float* x, const float* importance, float mean_square, int count, float* weights) {
  for (int i = 0; i < count; ++i) weights[i] = importance[i] * std::sqrt(2.0f * mean_square + x[i] * x[i]);
}

void encode(const float* x, const float* importance, BlockQ4_0& block) {
  uint8_t q[kBlock];
  encode_symmetric(x, importance, 8, block.d, q);
  pack_nibbles(q, block.qs);
}

void encode(const float* x, const float* importance, BlockQ4_1& block) {
  uint8_t q[kBlock];
  encode_affine(x, importance, 15, block.d, block.m, q);
  pack_nibbles(q, block.qs);
}

void encode(const float* x, const float* importance, BlockQ5_0& block) {
  uint8_t q[kBlock];
  encode_symmetric(x, importance, 16, block.d, q);
  pack_nibbles(q, block.qs);
  pack_fifth_bits(q, block.qh);
}

void encode(const float* x, const float* importance, BlockQ5_1& block) {
  uint8_t q[kBlock];
  encode_affine(x, importance, 31, block.d, block.m, q);
  pack_nibbles(q, block.qs);
  pack_fifth_bits(q, block.qh);
}

void encode(const float* x, const float*, BlockQ8_0& block) {
  const float scale = std::fabs(signed_largest(x)) / 127.0f, inverse = inverse_of(scale);
  block.d = to_scale(scale);
  for (int i = 0; i < kBlock; ++i)
    block.qs[i] = static_cast<int8_t>(std::clamp(std::round(x[i] * inverse), -127.0f, 127.0f));
}

void encode(const float* x, const float*, BlockMXFP4& block) {
  const float largest = std::fabs(signed_largest(x));
  // The largest power of two in it becomes 4, the largest in FP4's 6.
  block.e =
      largest > 0.0f ? static_cast<uint8_t>(std::clamp(std::ilogb(largest) - 2 + 127, 0, 254)) : uint8_t{0};
  const float scale = half_e8m0(block.e);
  uint8_t q[kBlock];
  for (int i = 0; i < kBlock; ++i) {
    const auto error = [&](int level) {
      return std::fabs(scale * static_cast<float>(kFp4Levels[level]) - x[i]);
    };
    q[i] = 0;
    for (uint8_t level = 1; level < 16; ++level) {
      if (error(level) < error(q[i])) q[i] = level;
    }
  }
  pack_nibbles(q, block.qs);
}

}  // namespace quern::quant
