#include "eval/statistics.h"

#include <algorithm>
#include <cmath>

namespace quern::eval {

// Welford 1962: exact to rounding for any number of values.
void RunningMean::add(double value) {
  ++count_;
  const double step = value - mean_;
  mean_ += step / static_cast<double>(count_);
  squares_ += step * (value - mean_);
}

Estimate RunningMean::estimate() const {
  const auto n = static_cast<double>(count_);
  return {mean_, count_ > 1 ? std::sqrt(squares_ / n / (n - 1)) : 0.0};
}

Estimate mean_of(std::span<const double> values) {
  RunningMean mean;
  for (const double value : values) mean.add(value);
  return mean.estimate();
}

double covariance(std::span<const double> a, std::span<const double> b) {
  if (a.empty()) return 0.0;
  const double mean_a = mean_of(a).value, mean_b = mean_of(b).value;
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean_a) * (b[i] - mean_b);
  return sum / static_cast<double>(a.size());
}

double correlation(std::span<const double> a, std::span<const double> b) {
  const double spread = std::sqrt(covariance(a, a) * covariance(b, b));
  return spread > 0.0 ? covariance(a, b) / spread : 0.0;
}

double quantile(std::span<const double> sorted, double q) {
  if (sorted.empty()) return 0.0;
  const double place = std::clamp(q, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - static_cast<double>(below));
}

Estimate through(const Estimate& x, double value, double slope) { return {value, std::abs(slope) * x.error}; }

Estimate exponential(const Estimate& x) { return through(x, std::exp(x.value), std::exp(x.value)); }

}  // namespace quern::eval
