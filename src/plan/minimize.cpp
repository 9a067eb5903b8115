#include "plan/minimize.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace quern::plan {

double golden_section(const std::function<double(double)>& f, double low, double high) {
  const double ratio = (std::sqrt(5.0) - 1.0) / 2.0;
  double left = high - ratio * (high - low), right = low + ratio * (high - low);
  double f_left = f(left), f_right = f(right);
  for (int i = 0; i < 200 && high - low > 1e-10 * (std::abs(low) + std::abs(high)); ++i) {
    if (f_left < f_right) {
      high = std::exchange(right, left);
      f_right = f_left;
      left = high - ratio * (high - low);
      f_left = f(left);
    } else {
      low = std::exchange(left, right);
      f_left = f_right;
      right = low + ratio * (high - low);
      f_right = f(right);
    }
  }
  return 0.5 * (low + high);
}

namespace {

struct Vertex {
  std::vector<double> x;
  double value;
};

using Objective = std::function<double(std::span<const double>)>;

// from + t * (to - from)
Vertex between(const Objective& f, const std::vector<double>& from, const std::vector<double>& to, double t) {
  std::vector<double> x(from.size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = from[i] + t * (to[i] - from[i]);
  const double value = f(x);
  return {std::move(x), value};
}

Vertex descend(const Objective& f, const std::vector<double>& start) {
  const size_t n = start.size();
  std::vector<Vertex> simplex{{start, f(start)}};
  for (size_t i = 0; i < n; ++i) {
    std::vector<double> x = start;
    x[i] += x[i] != 0.0 ? 0.1 * x[i] : 0.1;
    const double value = f(x);
    simplex.push_back({std::move(x), value});
  }
  for (int iteration = 0; iteration < 4000; ++iteration) {
    std::ranges::sort(simplex, {}, &Vertex::value);
    if (simplex.back().value - simplex.front().value <= 1e-14 * std::abs(simplex.front().value)) break;
    std::vector<double> centroid(n, 0.0);
    for (size_t v = 0; v < n; ++v) {
      for (size_t i = 0; i < n; ++i) centroid[i] += simplex[v].x[i] / static_cast<double>(n);
    }
    const std::vector<double> worst = simplex.back().x;
    Vertex reflected = between(f, worst, centroid, 2.0);
    if (reflected.value < simplex.front().value) {
      Vertex expanded = between(f, worst, centroid, 3.0);
      simplex.back() = expanded.value < reflected.value ? std::move(expanded) : std::move(reflected);
    } else if (reflected.value < simplex[n - 1].value) {
      simplex.back() = std::move(reflected);
    } else {
      Vertex contracted = between(f, worst, centroid, reflected.value < simplex.back().value ? 1.5 : 0.5);
      if (contracted.value < std::min(reflected.value, simplex.back().value)) {
        simplex.back() = std::move(contracted);
      } else {
        for (size_t v = 1; v <= n; ++v) simplex[v] = between(f, simplex[0].x, simplex[v].x, 0.5);
      }
    }
  }
  return *std::ranges::min_element(simplex, {}, &Vertex::value);
}

}  // namespace

std::vector<double> nelder_mead(const Objective& f, std::vector<double> start) {
  Vertex best{start, f(start)};
  for (int restart = 0; restart < 20; ++restart) {
    Vertex next = descend(f, best.x);
    const bool helped = next.value < best.value * (1.0 - 1e-6);
    if (next.value < best.value) best = std::move(next);
    if (!helped) break;
  }
  return best.x;
}

}  // namespace quern::plan
