#include "quant/fit.h"

namespace quern::quant {

namespace {

// Sums over a group of weights, levels and numbers, from which the best scale and min for given levels
// follow.
struct Sums {
  double w = 0, x = 0, q = 0, qq = 0, qx = 0;

  // The minimum of the weighted squares with min >= 0.
  Affine solve() const {
    const double determinant = w * qq - q * q;
    if (determinant > 0) {
      const double scale = (w * qx - x * q) / determinant, min = (q * qx - qq * x) / determinant;
      if (min >= 0) return {static_cast<float>(std::max(scale, 0.0)), static_cast<float>(min)};
    }
    return {static_cast<float>(qq > 0 ? std::max(qx / qq, 0.0) : 0.0), 0.0f};
  }
};

struct Group {
  std::span<const float> x;
  const float* w;
  UniformLevels levels;

  Sums round(float inverse, float min) const {
    Sums sums;
    float sum_w = 0, sum_x = 0, sum_q = 0, sum_qq = 0, sum_qx = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const auto q = static_cast<float>(levels.nearest((x[i] + min) * inverse));
      sum_w += w[i];
      sum_x += w[i] * x[i];
      sum_q += w[i] * q;
      sum_qq += w[i] * q * q;
      sum_qx += w[i] * q * x[i];
    }
    sums = {sum_w, sum_x, sum_q, sum_qq, sum_qx};
    return sums;
  }

  // What is lost when the numbers are rounded anew for `fit`.
  float error(const Affine& fit) const {
    const float inverse = fit.scale > 0 ? 1.0f / fit.scale : 0.0f;
    float sum = 0.0f;
    for (size_t i = 0; i < x.size(); ++i) {
      const auto q = static_cast<float>(levels.nearest((x[i] + fit.min) * inverse));
      const float difference = x[i] - fit.scale * q + fit.min;
      sum += w[i] * difference * difference;
    }
    return sum;
  }
};

}  // namespace

Affine fit_affine(std::span<const float> x, const float* w, int top) {
  constexpr float kStep = 0.1f, kReach = 1.0f;
  const auto [low, high] = std::ranges::minmax(x);
  const float least = std::min(low, 0.0f), spread = high - least;
  if (spread < 1e-30f) return {0.0f, -least};
  const Group group{x, w, {0, top}};
  Affine best{spread / static_cast<float>(top), -least};
  float best_error = group.error(best);
  for (float shift = -kReach; shift <= kReach; shift += kStep) {
    const Affine fit = group.round((static_cast<float>(top) + shift) / spread, -least).solve();
    if (const float error = group.error(fit); error < best_error) {
      best = fit;
      best_error = error;
    }
  }
  return best;
}

}  // namespace quern::quant
