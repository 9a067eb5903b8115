// The 4-bit types whose levels are not evenly spaced: IQ4_NL and IQ4_XS.
#include <algorithm>
#include <cmath>

#include "quant/encode.h"
#include "quant/fit.h"

namespace quern::quant {

namespace {

constexpr int kGroup = 32;
const TableLevels kLevels{kIq4Levels};

// The scale of 32 elements. `square` is the mean square of the whole block.
float group_scale(const float* x, const float* importance, float square) {
  float w[kGroup];
  if (importance != nullptr)
    weigh(x, importance, square, kGroup, w);
  else
    std::transform(x, x + kGroup, w, [](float value) { return value * value; });
  return fit_scale(std::span(x, kGroup), w, kLevels);
}

void pack(const float* x, float scale, uint8_t* qs) {
  const float inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
  const auto q = [&](int i) { return kLevels.nearest(x[i] * inverse); };
  for (int j = 0; j < kGroup / 2; ++j) qs[j] = static_cast<uint8_t>(q(j) | q(j + kGroup / 2) << 4);
}

}  // namespace

void encode(const float* x, const float* importance, BlockIQ4_NL& block) {
  block.d = to_scale(group_scale(x, importance, mean_square(x, kGroup)));
  pack(x, static_cast<float>(block.d), block.qs);
}

void encode(const float* x, const float* importance, BlockIQ4_XS& block) {
  constexpr int kGroups = 8;
  const float square = mean_square(x, BlockIQ4_XS::kElements);
  float scales[kGroups], largest = 0.0f;
  for (int g = 0; g < kGroups; ++g) {
    scales[g] =
        group_scale(x + kGroup * g, importance == nullptr ? nullptr : importance + kGroup * g, square);
    if (std::fabs(scales[g]) > std::fabs(largest)) largest = scales[g];
  }
  const UniformLevels levels{-32, 31};
  block.d = to_scale(largest / -32.0f);
  const auto d = static_cast<float>(block.d);
  block.scales_h = 0;
  std::fill_n(block.scales_l, 4, uint8_t{0});
  for (int g = 0; g < kGroups; ++g) {
    const int scale = d == 0.0f ? 0 : levels.nearest(scales[g] / d);
    const auto stored = static_cast<unsigned>(scale + 32);
    block.scales_l[g / 2] = static_cast<uint8_t>(block.scales_l[g / 2] | (stored & 15) << (g % 2 * 4));
    block.scales_h = static_cast<uint16_t>(block.scales_h | (stored >> 4) << (2 * g));
    pack(x + kGroup * g, d * static_cast<float>(scale), block.qs + 16 * g);
  }
}

}  // namespace quern::quant
