#include "quant/fit.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.h"

namespace quern::quant {
namespace {

std::vector<float> normal(size_t count, uint64_t stream) {
  Rng rng(1, stream);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

template <class Levels>
double error(const std::vector<float>& x, const std::vector<float>& w, const Levels& levels, float scale) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double difference = x[i] - scale * levels.value(levels.nearest(x[i] / scale));
    sum += w[i] * difference * difference;
  }
  return sum;
}

TEST(Fit, RoundsHalvesToEven) {
  EXPECT_EQ(round_to_int(0.5f), 0);
  EXPECT_EQ(round_to_int(1.5f), 2);
  EXPECT_EQ(round_to_int(-2.5f), -2);
  EXPECT_EQ(round_to_int(-1234567.0f), -1234567);
}

TEST(Fit, FindsTheNearestLevel) {
  const UniformLevels uniform{-4, 3};
  EXPECT_EQ(uniform.nearest(-100.0f), -4);
  EXPECT_EQ(uniform.nearest(2.6f), 3);
  const TableLevels table{kIq4Levels};
  for (int q = 0; q < 16; ++q) EXPECT_EQ(table.nearest(table.value(q)), q);
  EXPECT_EQ(table.nearest(-1000.0f), 0);
  EXPECT_EQ(table.nearest(1000.0f), 15);
  EXPECT_EQ(table.nearest(7.5f), 9);  // between 1 and 13, nearer to the latter
}

// On average, the search must come close to the best of a fine scan over all scales.
template <class Levels>
void expect_near_best(const Levels& levels) {
  double found = 0, best = 0;
  for (uint64_t trial = 0; trial < 20; ++trial) {
    const std::vector<float> x = normal(32, trial);
    std::vector<float> w = normal(32, 100 + trial);
    for (float& weight : w) weight = weight * weight + 0.01f;
    double least = INFINITY;
    for (int i = 1; i <= 1000; ++i) {
      for (const float sign : {-1.0f, 1.0f}) {
        least = std::min(
            least, error(x, w, levels, sign * 5.0f * static_cast<float>(i) / 1000.0f / levels.extreme()));
      }
    }
    best += least;
    found += error(x, w, levels, fit_scale(x, w.data(), levels));
  }
  EXPECT_LE(found, 1.3 * best);
}

TEST(Fit, ScaleIsNearTheBest) {
  expect_near_best(UniformLevels{-8, 7});
  expect_near_best(UniformLevels{-32, 31});
  expect_near_best(TableLevels{kIq4Levels});
}

TEST(Fit, RecoversExactScales) {
  std::vector<float> x, w(8, 1.0f);
  for (const int q : {-4, 3, 2, 0, 1, -1, -3, 2}) x.push_back(0.37f * static_cast<float>(q));
  EXPECT_NEAR(fit_scale(x, w.data(), UniformLevels{-4, 3}), 0.37f, 1e-6f);
  std::vector<float> shifted;
  for (const int q : {0, 3, 2, 1, 1, 2, 3, 0}) shifted.push_back(0.25f * static_cast<float>(q) - 0.4f);
  const Affine fit = fit_affine(shifted, w.data(), 3);
  EXPECT_NEAR(fit.scale, 0.25f, 1e-6f);
  EXPECT_NEAR(fit.min, 0.4f, 1e-6f);
}

TEST(Fit, MinIsNeverNegative) {
  const std::vector<float> x{5, 5.5, 6, 7}, w(4, 1.0f), zeros(4, 0.0f), low(4, -2.0f);
  const Affine fit = fit_affine(x, w.data(), 15);
  EXPECT_EQ(fit.min, 0.0f);
  EXPECT_GT(fit.scale, 0.0f);
  EXPECT_EQ(fit_scale(zeros, w.data(), UniformLevels{-8, 7}), 0.0f);
  EXPECT_EQ(fit_affine(zeros, w.data(), 15).scale, 0.0f);
  EXPECT_EQ(fit_affine(low, w.data(), 15).min, 2.0f);
}

}  // namespace
}  // namespace quern::quant
