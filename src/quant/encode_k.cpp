// Super-blocks of 256 with scales of scales: Q2_K to Q6_K. Each group gets its best scale (and min); these
// are rounded to integers times one f16 for all groups; then the elements are rounded for the scales that
// remained.
#include <algorithm>
#include <array>
#include <cmath>

#include "quant/encode.h"
#include "quant/fit.h"

namespace quern::quant {

namespace {

constexpr int kSuperBlock = 256;

// How much an element weighs where no importance is given.
enum class Emphasis { magnitude, square, spread };

void weights_of(const float* x, const float* importance, Emphasis emphasis, float* w) {
  const float square = mean_square(x, kSuperBlock);
  if (importance != nullptr) return weigh(x, importance, square, kSuperBlock, w);
  const float typical = std::sqrt(square);
  for (int i = 0; i < kSuperBlock; ++i) {
    const float magnitude = std::fabs(x[i]);
    w[i] = emphasis == Emphasis::magnitude ? magnitude
           : emphasis == Emphasis::square  ? x[i] * x[i]
                                           : typical + magnitude;
  }
}

// `count` non-negative numbers as integers 0..top times a common step, which is returned.
float16 round_positive(const float* values, int count, int top, uint8_t* q) {
  const float16 step = to_scale(*std::max_element(values, values + count) / static_cast<float>(top));
  const UniformLevels levels{0, top};
  for (int g = 0; g < count; ++g)
    q[g] = static_cast<uint8_t>(levels.nearest(values[g] * inverse_of(static_cast<float>(step))));
  return step;
}

// `count` numbers as integers lo..-lo-1 times a common step, the largest as lo.
float16 round_signed(const float* values, int count, int lo, int8_t* q) {
  const float largest =
      *std::max_element(values, values + count, [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  const float16 step = to_scale(largest / static_cast<float>(lo));
  const UniformLevels levels{lo, -lo - 1};
  for (int g = 0; g < count; ++g)
    q[g] = static_cast<int8_t>(levels.nearest(values[g] * inverse_of(static_cast<float>(step))));
  return step;
}

// Groups of kGroup elements as scale * q - min with q = 0..top; scales and mins as integers up to
// `top_scale`.
template <int kGroup>
struct AffineGroups {
  static constexpr int kGroups = kSuperBlock / kGroup;
  float16 d, dmin;
  uint8_t scales[kGroups], mins[kGroups], q[kSuperBlock];

  AffineGroups(const float* x, const float* importance, Emphasis emphasis, int top, int top_scale) {
    float w[kSuperBlock], group_scales[kGroups], group_mins[kGroups];
    weights_of(x, importance, emphasis, w);
    for (int g = 0; g < kGroups; ++g) {
      const Affine fit = fit_affine(std::span(x + kGroup * g, kGroup), w + kGroup * g, top);
      group_scales[g] = fit.scale;
      group_mins[g] = fit.min;
    }
    d = round_positive(group_scales, kGroups, top_scale, scales);
    dmin = round_positive(group_mins, kGroups, top_scale, mins);
    const UniformLevels levels{0, top};
    for (int i = 0; i < kSuperBlock; ++i) {
      const int g = i / kGroup;
      const float inverse = inverse_of(static_cast<float>(d) * scales[g]);
      q[i] = static_cast<uint8_t>(levels.nearest((x[i] + static_cast<float>(dmin) * mins[g]) * inverse));
    }
  }
};

// Groups of 16 as scale * q with q = -zero..zero-1, stored from 0; scales as integers from `lowest_scale` to
// its opposite.
struct SymmetricGroups {
  static constexpr int kGroup = 16, kGroups = kSuperBlock / kGroup;
  float16 d;
  int8_t scales[kGroups];
  uint8_t q[kSuperBlock];

  SymmetricGroups(const float* x, const float* importance, int zero, int lowest_scale) {
    float w[kSuperBlock], group_scales[kGroups];
    weights_of(x, importance, Emphasis::square, w);
    const UniformLevels levels{-zero, zero - 1};
    for (int g = 0; g < kGroups; ++g)
      group_scales[g] = fit_scale(std::span(x + kGroup * g, kGroup), w + kGroup * g, levels);
    d = round_signed(group_scales, kGroups, lowest_scale, scales);
    for (int i = 0; i < kSuperBlock; ++i) {
      const float inverse = inverse_of(static_cast<float>(d) * scales[i / kGroup]);
      q[i] = static_cast<uint8_t>(levels.nearest(x[i] * inverse) + zero);
    }
  }
};

// The low two bits of each element: runs of 32 bytes with four times 32 elements.
void pack_pairs(const uint8_t* q, uint8_t* qs) {
  for (int j = 0; j < kSuperBlock / 4; ++j) {
    const uint8_t* run = q + j / 32 * 128 + j % 32;
    qs[j] = static_cast<uint8_t>((run[0] & 3) | (run[32] & 3) << 2 | (run[64] & 3) << 4 | (run[96] & 3) << 6);
  }
}

// The low nibbles: runs of 32 bytes with twice 32 elements.
void pack_nibbles_k(const uint8_t* q, uint8_t* qs) {
  for (int j = 0; j < kSuperBlock / 2; ++j) {
    const uint8_t* run = q + j / 32 * 64 + j % 32;
    qs[j] = static_cast<uint8_t>((run[0] & 15) | (run[32] & 15) << 4);
  }
}

// Bit `bit` of element i as bit i/32 of byte i%32.
void pack_bits(const uint8_t* q, int bit, uint8_t* bits) {
  std::fill_n(bits, 32, uint8_t{0});
  for (int i = 0; i < kSuperBlock; ++i)
    bits[i % 32] = static_cast<uint8_t>(bits[i % 32] | (q[i] >> bit & 1) << (i / 32));
}

// The inverse of q4k_scale.
void pack_scales(const uint8_t* scales, const uint8_t* mins, uint8_t (&packed)[12]) {
  for (int g = 0; g < 4; ++g) {
    packed[g] = static_cast<uint8_t>(scales[g] | (scales[g + 4] >> 4) << 6);
    packed[g + 4] = static_cast<uint8_t>(mins[g] | (mins[g + 4] >> 4) << 6);
    packed[g + 8] = static_cast<uint8_t>((scales[g + 4] & 15) | (mins[g + 4] & 15) << 4);
  }
}

// The inverse of q3k_scale, for scales -32..31.
void pack_scales(const int8_t (&scales)[16], uint8_t (&packed)[12]) {
  std::fill_n(packed, 12, uint8_t{0});
  for (int g = 0; g < 16; ++g) {
    const int scale = scales[g] + 32;
    packed[g % 8] = static_cast<uint8_t>(packed[g % 8] | (scale & 15) << (g / 8 * 4));
    packed[8 + g % 4] = static_cast<uint8_t>(packed[8 + g % 4] | (scale >> 4) << (g / 4 * 2));
  }
}

}  // namespace

void encode(const float* x, const float* importance, BlockQ2_K& block) {
  const AffineGroups<16> groups(x, importance, Emphasis::magnitude, 3, 15);
  block.d = groups.d;
  block.dmin = groups.dmin;
  for (int g = 0; g < 16; ++g) block.scales[g] = static_cast<uint8_t>(groups.scales[g] | groups.mins[g] << 4);
  pack_pairs(groups.q, block.qs);
}

void encode(const float* x, const float* importance, BlockQ3_K& block) {
  const SymmetricGroups groups(x, importance, 4, -32);
  block.d = groups.d;
  pack_scales(groups.scales, block.scales);
  pack_pairs(groups.q, block.qs);
  pack_bits(groups.q, 2, block.hmask);
}

void encode(const float* x, const float* importance, BlockQ4_K& block) {
  const AffineGroups<32> groups(x, importance, Emphasis::spread, 15, 63);
  block.d = groups.d;
  block.dmin = groups.dmin;
  pack_scales(groups.scales, groups.mins, block.scales);
  pack_nibbles_k(groups.q, block.qs);
}

void encode(const float* x, const float* importance, BlockQ5_K& block) {
  const AffineGroups<32> groups(x, importance, Emphasis::spread, 31, 63);
  block.d = groups.d;
  block.dmin = groups.dmin;
  pack_scales(groups.scales, groups.mins, block.scales);
  pack_nibbles_k(groups.q, block.qs);
  pack_bits(groups.q, 4, block.qh);
}

void encode(const float* x, const float* importance, BlockQ6_K& block) {
  const SymmetricGroups groups(x, importance, 32, -128);
  block.d = groups.d;
  std::copy_n(groups.scales, 16, block.scales);
  for (int half = 0; half < 2; ++half) {
    for (int j = 0; j < 64; ++j) {
      const uint8_t* q = groups.q + half * 128 + j;
      block.ql[half * 64 + j] = static_cast<uint8_t>((q[0] & 15) | (q[64] & 15) << 4);
    }
  }
  uint8_t high[kSuperBlock];
  std::transform(groups.q, groups.q + kSuperBlock, high,
                 [](uint8_t q) { return static_cast<uint8_t>(q >> 4); });
  pack_pairs(high, block.qh);
}

}  // namespace quern::quant
