// Finds the scale (and offset) with which a group of numbers loses least when it is rounded to a few levels:
// weighted least squares over a line of candidates. Shared by the encoders of all block types.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>

#include "tensor/block_codebooks.h"

namespace quern::quant {

// The nearest integer, halves to even. Precondition: |v| < 2^22.
inline int round_to_int(float v) {
  constexpr float kShift = 0x1.8p23f;  // the mantissa of a sum with it ends at the units
  return std::bit_cast<int>(v + kShift) - std::bit_cast<int>(kShift);
}

// The integers lo..hi.
struct UniformLevels {
  int lo, hi;

  int nearest(float v) const {
    return round_to_int(std::clamp(v, static_cast<float>(lo), static_cast<float>(hi)));
  }
  float value(int q) const { return static_cast<float>(q); }
  float extreme() const { return static_cast<float>(lo); }  // the level farthest from 0
  float spacing() const { return 1.0f; }
};

// The 16 ascending levels of a table, by index.
struct TableLevels {
  const int8_t (&table)[16];

  int nearest(float v) const {
    int q = 0;  // how many midpoints lie below v: branches would be mispredicted
    for (int i = 0; i < 15; ++i) q += v > 0.5f * static_cast<float>(table[i] + table[i + 1]);
    return q;
  }
  float value(int q) const { return table[q]; }
  float extreme() const { return table[0]; }
  float spacing() const { return static_cast<float>(table[15] - table[0]) / 30.0f; }
};

// The scale s for which the sum of w * (x - s * level)^2 with the nearest levels is smallest, among steps
// around the one that takes the largest x to the extreme level. Negative where the largest x is positive. 0
// when x is all zeros.
template <class Levels>
float fit_scale(std::span<const float> x, const float* w, const Levels& levels) {
  // Farther beyond the extreme level, where the largest x is cut, than below it.
  constexpr int kBeyond = 10, kBelow = 5;
  constexpr float kStep = 0.2f;  // of a level
  float largest = 0.0f;
  for (const float value : x) {
    if (std::fabs(value) > std::fabs(largest)) largest = value;
  }
  if (std::fabs(largest) < 1e-30f) return 0.0f;
  float best_scale = 0.0f, best_gain = -1.0f;  // gain: how much the scale takes off the sum of w * x^2
  const auto attempt = [&](float inverse) {
    float products = 0.0f, squares = 0.0f;
    for (size_t i = 0; i < x.size(); ++i) {
      const float level = levels.value(levels.nearest(x[i] * inverse));
      products += w[i] * x[i] * level;
      squares += w[i] * level * level;
    }
    if (squares > 0.0f && products * products > best_gain * squares) {
      best_gain = products * products / squares;
      best_scale = products / squares;
    }
  };
  for (int step = -kBeyond; step <= kBelow; ++step) {
    attempt((levels.extreme() + kStep * static_cast<float>(step) * levels.spacing()) / largest);
  }
  if (best_scale != 0.0f) attempt(1.0f / best_scale);
  return best_gain >= 0.0f ? best_scale : largest / levels.extreme();
}

// x ~ scale * q - min with q = 0..top.
struct Affine {
  float scale = 0.0f, min = 0.0f;  // neither is negative
};

// The pair for which the sum of w * (x - scale * q + min)^2 is smallest, among steps around the one that
// spreads the levels from the smallest to the largest x.
Affine fit_affine(std::span<const float> x, const float* w, int top);

}  // namespace quern::quant
