#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "ops/op_support.h"
#include "ops/rope.h"

namespace quern::ops {

namespace {

// Radians per position of each pair, and the factor on cos and sin.
struct Frequencies {
  std::vector<double> per_pair;
  double attention_factor = 1.0;
};

std::vector<double> plain_frequencies(double theta, int64_t rotary) {
  std::vector<double> result;
  for (int64_t i = 0; i < rotary; i += 2) {
    result.push_back(std::pow(theta, -static_cast<double>(i) / static_cast<double>(rotary)));
  }
  return result;
}

double ntk_theta(const RopeConfig& c, int64_t length) {
  const double original = static_cast<double>(c.original_positions);
  const double stretch = std::max(static_cast<double>(length) / original, 1.0);
  const double dims = static_cast<double>(c.rotary);
  return c.theta * std::pow(c.factor * stretch - (c.factor - 1.0), dims / (dims - 2.0));
}

// The pair, as a fraction of the channels, that turns `rotations` times over the original context (YaRN, eq.
// 17-18).
double yarn_pair(const RopeConfig& c, double rotations) {
  return static_cast<double>(c.rotary) *
         std::log(static_cast<double>(c.original_positions) / (rotations * 2.0 * std::numbers::pi)) /
         (2.0 * std::log(c.theta));
}

double yarn_mscale(double factor, double mscale) {
  return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

double yarn_attention_factor(const RopeConfig& c) {
  if (c.attention_factor) return *c.attention_factor;
  // A coefficient of zero counts as absent, as in transformers.
  const double mscale = c.mscale.value_or(0.0), all = c.mscale_all_dim.value_or(0.0);
  if (mscale != 0.0 && all != 0.0) return yarn_mscale(c.factor, mscale) / yarn_mscale(c.factor, all);
  return yarn_mscale(c.factor, 1.0);
}

void scale_yarn(const RopeConfig& c, std::vector<double>& frequencies) {
  double low = yarn_pair(c, c.beta_fast), high = yarn_pair(c, c.beta_slow);
  if (c.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(c.rotary - 1));
  if (low == high) high += 0.001;
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] *= ramp / c.factor + (1.0 - ramp);
  }
}

void scale_llama3(const RopeConfig& c, std::vector<double>& frequencies) {
  const double original = static_cast<double>(c.original_positions);
  for (double& frequency : frequencies) {
    // Wave lengths the original context holds less than low_freq_factor times are stretched in full.
    const double waves = original * frequency / (2.0 * std::numbers::pi);
    const double keep =
        std::clamp((waves - c.low_freq_factor) / (c.high_freq_factor - c.low_freq_factor), 0.0, 1.0);
    frequency *= (1.0 - keep) / c.factor + keep;
  }
}

void scale_long(const RopeConfig& c, int64_t length, std::vector<double>& frequencies) {
  const std::vector<double>& factors = length > c.original_positions ? c.long_factors : c.short_factors;
  for (size_t i = 0; i < frequencies.size(); ++i) frequencies[i] /= factors[i];
}

double long_attention_factor(const RopeConfig& c) {
  if (c.attention_factor) return *c.attention_factor;
  if (c.factor <= 1.0) return 1.0;
  return std::sqrt(1.0 + std::log(c.factor) / std::log(static_cast<double>(c.original_positions)));
}

Frequencies frequencies_of(const RopeConfig& c, int64_t length) {
  const double theta = c.scaling == RopeScaling::ntk ? ntk_theta(c, length) : c.theta;
  Frequencies result{plain_frequencies(theta, c.rotary)};
  switch (c.scaling) {
    case RopeScaling::none:
    case RopeScaling::ntk:
      break;
    case RopeScaling::linear:
      for (double& frequency : result.per_pair) frequency /= c.factor;
      break;
    case RopeScaling::yarn:
      scale_yarn(c, result.per_pair);
      result.attention_factor = yarn_attention_factor(c);
      break;
    case RopeScaling::llama3:
      scale_llama3(c, result.per_pair);
      break;
    case RopeScaling::longrope:
      scale_long(c, length, result.per_pair);
      result.attention_factor = long_attention_factor(c);
      break;
  }
  return result;
}

void check(const RopeConfig& c) {
  expect(c.rotary >= 2 && c.rotary % 2 == 0, "rope", "an even number of rotary channels, got {}", c.rotary);
  expect(c.max_positions >= 1, "rope", "at least one position, got {}", c.max_positions);
  expect(c.theta > 1.0, "rope", "theta > 1, got {}", c.theta);
  if (c.scaling == RopeScaling::none) return;
  expect(c.factor > 0.0, "rope", "a scaling factor > 0, got {}", c.factor);
  if (c.scaling == RopeScaling::linear) return;
  expect(c.original_positions >= 1, "rope", "the original context length of a scaled model, got {}",
         c.original_positions);
  expect(c.scaling != RopeScaling::ntk || c.rotary > 2, "rope", "more than 2 rotary channels for NTK, got {}",
         c.rotary);
  expect(c.scaling != RopeScaling::llama3 || c.high_freq_factor > c.low_freq_factor, "rope",
         "high_freq_factor above low_freq_factor {}, got {}", c.low_freq_factor, c.high_freq_factor);
  if (c.scaling != RopeScaling::longrope) return;
  for (const auto* factors : {&c.short_factors, &c.long_factors}) {
    const bool positive = std::ranges::all_of(*factors, [](double f) { return std::isfinite(f) && f > 0.0; });
    expect(positive && static_cast<int64_t>(factors->size()) == c.rotary / 2, "rope",
           "{} positive longrope factors, got {}{}", c.rotary / 2, factors->size(),
           positive ? "" : ", some of which are not");
  }
}

}  // namespace

int64_t rope_length(const RopeConfig& config, int64_t length) {
  const bool follows = config.scaling == RopeScaling::ntk || config.scaling == RopeScaling::longrope;
  if (!follows || length <= config.original_positions) return 1;
  return config.scaling == RopeScaling::ntk ? length : config.original_positions + 1;
}

std::vector<double> rope_divisors(const RopeConfig& config, int64_t length) {
  check(config);
  std::vector<double> result = plain_frequencies(config.theta, config.rotary);
  const Frequencies scaled = frequencies_of(config, length);
  for (size_t i = 0; i < result.size(); ++i) result[i] /= scaled.per_pair[i];
  return result;
}

RopeTable::RopeTable(const RopeConfig& config, int64_t begin, int64_t end, int64_t length)
    : config_(config), begin_(begin), length_(rope_length(config, length)) {
  check(config);
  const Frequencies frequencies = frequencies_of(config, length);
  cos_ = Tensor({end - begin, config.rotary / 2}, DType::f32);
  sin_ = Tensor(cos_.shape(), DType::f32);
  size_t i = 0;
  for (int64_t position = begin; position < end; ++position) {
    for (const double frequency : frequencies.per_pair) {
      const double angle = static_cast<double>(position) * frequency;
      cos_.span<float>()[i] = static_cast<float>(std::cos(angle) * frequencies.attention_factor);
      sin_.span<float>()[i++] = static_cast<float>(std::sin(angle) * frequencies.attention_factor);
    }
  }
}

}  // namespace quern::ops
