// How parity tests compare tensors.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace quern::parity {

// The largest |a - b| in units of the largest |b|: of the whole tensor, as single elements may be small by
// cancellation. Infinite when the sizes differ, NaN when an element is.
inline double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return INFINITY;
  double difference = 0, largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) || std::isnan(b[i])) return NAN;
    difference = std::max(difference, std::abs(static_cast<double>(a[i]) - b[i]));
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
  }
  return difference / largest;
}

}  // namespace quern::parity
