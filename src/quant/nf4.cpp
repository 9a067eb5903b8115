#include "quant/nf4.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <vector>

#include "base/threads.h"
#include "tensor/block_codebooks.h"
#include "tensor/block_formats.h"

namespace quern::quant {

namespace {

constexpr int64_t kPerGroup = 256;     // scales
constexpr float kLeastScale = 1e-38f;  // so that blocks of zeros divide by something

// Of `levels`, ascending, the index of the nearest to x; halfway the lower one.
uint8_t nearest(std::span<const float> levels, float x) {
  size_t begin = 0, end = levels.size() - 1;  // the answer lies in [begin, end]
  while (begin < end) {
    const size_t middle = (begin + end) / 2;
    if (x > (levels[middle] + levels[middle + 1]) / 2.0f)
      begin = middle + 1;
    else
      end = middle;
  }
  return static_cast<uint8_t>(begin);
}

float reciprocal_of(float scale) { return 1.0f / std::max(scale, kLeastScale); }

float largest_of(std::span<const float> x) {
  float largest = 0.0f;
  for (const float value : x) largest = std::max(largest, std::fabs(value));
  return largest;
}

// Scales of 8 bits, and the memory behind them.
struct DoubleScales : BlockScales {
  std::vector<uint8_t> own_codes;
  std::vector<float> own_groups;

  explicit DoubleScales(const std::vector<float>& scales, DType rounded_to) {
    double sum = 0.0;
    for (const float scale : scales) sum += static_cast<double>(scale);
    offset = static_cast<float>(sum / static_cast<double>(std::max<size_t>(scales.size(), 1)));
    std::vector<float> centred(scales);
    for (float& scale : centred) scale -= offset;
    own_codes.resize(centred.size());
    const auto count = static_cast<int64_t>(centred.size());
    for (int64_t at = 0; at < count; at += kPerGroup) {
      const auto size = static_cast<size_t>(std::min(kPerGroup, count - at));
      const auto group = std::span(centred).subspan(static_cast<size_t>(at), size);
      own_groups.push_back(largest_of(group));
      const float inverse = reciprocal_of(own_groups.back());
      for (size_t i = 0; i < size; ++i)
        own_codes[static_cast<size_t>(at) + i] = nearest(dynamic_levels(), group[i] * inverse);
    }
    codes = own_codes.data();
    groups = own_groups.data();
    levels = dynamic_levels().data();
    per_group = kPerGroup;
    dtype = rounded_to;
  }
};

std::array<float, 256> make_dynamic_levels() {
  std::array<float, 256> levels = {0.0f, 1.0f};
  size_t count = 2;
  for (int exponent = -6; exponent <= 0; ++exponent) {
    // Middles of equal steps from 0.1 to 1, as many as each next exponent has bits for.
    const int steps = 1 << (exponent + 6);
    const float step = 0.9f / static_cast<float>(steps);
    const auto boundary = [&](int i) {  // rounded once: the bits of torch.linspace
      const bool lower = i < (steps + 1) / 2;
      return lower ? std::fma(step, static_cast<float>(i), 0.1f)
                   : std::fma(-step, static_cast<float>(steps - i), 1.0f);
    };
    const auto unit = static_cast<float>(std::pow(10.0, exponent));
    for (int i = 0; i < steps; ++i) {
      const float level = unit * ((boundary(i) + boundary(i + 1)) / 2.0f);
      levels[count++] = level;
      levels[count++] = -level;
    }
  }
  std::ranges::sort(levels);
  return levels;
}

}  // namespace

std::span<const float, 256> dynamic_levels() {
  static const std::array<float, 256> levels = make_dynamic_levels();
  return levels;
}

Result<Tensor> quantize_nf4(const Tensor& x, DType dtype) {
  constexpr int64_t kElements = BlockNF4::kElements;
  if (x.shape().rank() != 2 || x.shape().cols() % kElements != 0) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("expected a matrix with rows of a multiple of {} elements for NF4, got {}",
                                  kElements, x.describe()));
  }
  const Tensor wide = x.to(DType::f32);
  const float* elements = wide.data<float>();
  const int64_t blocks = wide.numel() / kElements;
  Tensor bytes({blocks, static_cast<int64_t>(sizeof(BlockNF4))}, DType::u8);
  std::vector<float> scales(static_cast<size_t>(blocks));
  parallel_for(blocks, 64, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const std::span block(elements + b * kElements, kElements);
      const bool finite = std::ranges::all_of(block, [](float value) { return std::isfinite(value); });
      scales[static_cast<size_t>(b)] = finite ? largest_of(block) : std::nanf("");
      const float inverse = reciprocal_of(scales[static_cast<size_t>(b)]);
      uint8_t* to = bytes.data<uint8_t>() + b * static_cast<int64_t>(sizeof(BlockNF4));
      for (size_t i = 0; finite && i < kElements; i += 2) {
        const int high = nearest(kNf4Levels, block[i] * inverse),
                  low = nearest(kNf4Levels, block[i + 1] * inverse);
        to[i / 2] = static_cast<uint8_t>(high << 4 | low);
      }
    }
  });
  if (std::ranges::any_of(scales, [](float scale) { return std::isnan(scale); })) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{} holds numbers that are not finite", x.describe()));
  }
  return Tensor::of_blocks(bytes, x.shape(), DType::nf4, std::make_shared<DoubleScales>(scales, dtype));
}

}  // namespace quern::quant
