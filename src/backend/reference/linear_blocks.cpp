#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backend/reference/access.h"
#include "backend/reference/kernels.h"
#include "base/threads.h"
#include "tensor/strips.h"

namespace quern::backend::reference {

namespace {

// x rounded to 8 bits as the contract says, `columns` to a scale: the scale and its inverse are f32 numbers.
std::vector<double> rounded(const void* x, DType dtype, int64_t at, int64_t count, int64_t columns) {
  std::vector<double> y(static_cast<size_t>(count));
  for (int64_t g = 0; g < count; g += columns) {
    float largest = 0.0f;
    bool finite = true;
    for (int64_t i = 0; i < columns; ++i) {
      const auto value = static_cast<float>(load(x, dtype, at + g + i));
      finite = finite && std::isfinite(value);
      largest = std::max(largest, std::fabs(value));
    }
    const float scale = largest / 127.0f, inverse = largest > 0.0f ? 127.0f / largest : 0.0f;
    for (int64_t i = 0; i < columns; ++i) {
      const float scaled = static_cast<float>(load(x, dtype, at + g + i)) * inverse;
      y[static_cast<size_t>(g + i)] = finite ? static_cast<double>(scale) * std::nearbyint(scaled)
                                             : std::numeric_limits<double>::quiet_NaN();
    }
  }
  return y;
}

// Row i of x, rounded, times each row of a part.
std::vector<double> product(const LinearBlocksArgs& a, const BlockProduct& part, int64_t i) {
  const std::vector<double> x =
      rounded(a.x, a.dtype, i * a.k, a.k, rounded_columns(strip_format(part.w_dtype)));
  std::vector<double> y(static_cast<size_t>(part.n));
  parallel_for(part.n, 1 + (1 << 15) / a.k, [&](int64_t begin, int64_t end) {
    std::vector<float> row(static_cast<size_t>(a.k));
    for (int64_t j = begin; j < end; ++j) {
      const auto* w = static_cast<const char*>(part.w) + j * bytes_of(part.w_dtype, a.k);
      BlockScales scales = part.scales;
      scales.first += j * a.k / block_elements(part.w_dtype);
      decode_rows({1, a.k, w, part.w_dtype, row.data(), DType::f32, scales});
      double sum = part.bias == nullptr ? 0.0 : load(part.bias, wide_of(a.dtype), j);
      for (size_t c = 0; c < row.size(); ++c) sum += x[c] * static_cast<double>(row[c]);
      y[static_cast<size_t>(j)] = sum;
    }
  });
  return y;
}

}  // namespace

// Declines strips: they are for the tables that make them.
bool linear_blocks(const LinearBlocksArgs& a) {
  for (int p = 0; p < a.count; ++p) {
    if (a.parts[p].strips) return false;
  }
  for (int64_t i = 0; i < a.m; ++i) {
    std::vector<double> first = product(a, a.parts[0], i);
    if (a.gated) {
      activation({a.activation, a.parts[0].n, first.data(), first.data(), DType::f64});
      const std::vector<double> up = product(a, a.parts[1], i);
      for (size_t j = 0; j < first.size(); ++j) first[j] *= up[j];
    }
    for (int p = 0; p < (a.gated ? 1 : a.count); ++p) {
      const std::vector<double> y = p == 0 ? first : product(a, a.parts[p], i);
      for (size_t j = 0; j < y.size(); ++j) {
        store(a.parts[p].y, a.dtype, i * a.parts[p].n + static_cast<int64_t>(j), y[j]);
      }
    }
  }
  return true;
}

}  // namespace quern::backend::reference
