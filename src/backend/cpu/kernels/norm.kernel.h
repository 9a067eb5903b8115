// LayerNorm and RMSNorm. A row is summed in an order fixed by its length; gradients of weight and bias are
// summed over fixed blocks of rows, then over the blocks in order, so that threads change nothing.
#pragma once

#include "backend/cpu/kernels/row_sums.h"
#include "backend/cpu/kernels/support.h"
#include "backend/cpu/scratch.h"

namespace quern::backend::cpu::QUERN_ISA {

// The weight of `lanes` columns from c on, one where there is none.
template <class Lanes>
inline Vec norm_weight(const float* weight, float offset, int64_t c, Lanes lanes) {
  return weight == nullptr ? Vec(1.0f + offset) : Vec::load(weight + c, lanes) + Vec(offset);
}

template <class T>
inline void norm_row(const NormArgs& a, const T* x, T* y, int64_t row) {
  const float count = static_cast<float>(a.cols);
  const bool layer = a.kind == NormKind::layer;
  float mean = 0.0f;
  if (layer) {
    FourSums sum;
    for_lanes_by_four(a.cols, [&](int64_t c, auto lanes, int part) {
      sum.part[part] = sum.part[part] + Vec::load(x + c, lanes);
    });
    mean = sum.total() / count;
  }
  // The second pass also sums the deviations: what the first left over of the mean, by rounding, is
  // subtracted too.
  FourSums square, rest;
  for_lanes_by_four(a.cols, [&](int64_t c, auto lanes, int part) {
    const Vec d = keep(lanes, Vec::load(x + c, lanes) - Vec(mean), Vec(0.0f));
    square.part[part] = fma(d, d, square.part[part]);
    if (layer) rest.part[part] = rest.part[part] + d;
  });
  const float left = layer ? rest.total() / count : 0.0f;
  const float variance = square.total() / count - left * left;
  const float rstd = 1.0f / __builtin_sqrtf(variance + static_cast<float>(a.eps));
  const float* weight = static_cast<const float*>(a.weight);
  const float* bias = layer ? static_cast<const float*>(a.bias) : nullptr;
  for_lanes(a.cols, [&](int64_t c, auto lanes) {
    const Vec n = (Vec::load(x + c, lanes) - Vec(mean) - Vec(left)) * Vec(rstd);
    const Vec w = norm_weight(weight, static_cast<float>(a.weight_offset), c, lanes);
    (bias == nullptr ? n * w : fma(n, w, Vec::load(bias + c, lanes))).store(y + c, lanes);
  });
  if (a.mean != nullptr) static_cast<float*>(a.mean)[row] = mean + left;
  if (a.rstd != nullptr) static_cast<float*>(a.rstd)[row] = rstd;
}

inline bool norm(const NormArgs& a) {
  return visit_dtype(a.dtype, [&]<class T>() {
    parallel_for(a.rows, row_grain(kLightGrain, a.cols), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        norm_row(a, static_cast<const T*>(a.x) + r * a.cols, static_cast<T*>(a.y) + r * a.cols, r);
      }
    });
  });
}

// One row of dx, and its terms of dweight and dbias, which are added to `dweight` and `dbias` where given.
template <class T>
inline void norm_backward_row(const NormBackwardArgs& a, int64_t r, float* dweight, float* dbias) {
  const T* x = static_cast<const T*>(a.x) + r * a.cols;
  const T* dy = static_cast<const T*>(a.dy) + r * a.cols;
  const bool layer = a.kind == NormKind::layer;
  const Vec mean(layer ? static_cast<const float*>(a.mean)[r] : 0.0f);
  const Vec rstd(static_cast<const float*>(a.rstd)[r]);
  const float* weight = static_cast<const float*>(a.weight);
  const float offset = static_cast<float>(a.weight_offset);
  FourSums sum_g, sum_gn;
  for_lanes_by_four(a.cols, [&](int64_t c, auto lanes, int part) {
    const Vec d = Vec::load(dy + c, lanes);
    const Vec n = (Vec::load(x + c, lanes) - mean) * rstd;
    const Vec g = d * norm_weight(weight, offset, c, lanes);
    sum_g.part[part] = sum_g.part[part] + g;
    sum_gn.part[part] = fma(g, n, sum_gn.part[part]);
    if (dweight != nullptr) fma(d, n, Vec::load(dweight + c, lanes)).store(dweight + c, lanes);
    if (dbias != nullptr) (d + Vec::load(dbias + c, lanes)).store(dbias + c, lanes);
  });
  if (a.dx == nullptr) return;
  T* dx = static_cast<T*>(a.dx) + r * a.cols;
  const Vec mean_g(layer ? sum_g.total() / static_cast<float>(a.cols) : 0.0f);
  const Vec mean_gn(sum_gn.total() / static_cast<float>(a.cols));
  for_lanes(a.cols, [&](int64_t c, auto lanes) {
    const Vec n = (Vec::load(x + c, lanes) - mean) * rstd;
    const Vec g = Vec::load(dy + c, lanes) * norm_weight(weight, offset, c, lanes);
    (rstd * fnma(n, mean_gn, g - mean_g)).store(dx + c, lanes);
  });
}

// out[c] += the sums of the blocks, in order of the blocks.
inline void add_block_sums(float* out, const float* sums, int64_t blocks, int64_t stride, int64_t cols) {
  for_lanes(cols, [&](int64_t c, auto lanes) {
    Vec total = Vec::load(sums + c, lanes);
    for (int64_t b = 1; b < blocks; ++b) total = total + Vec::load(sums + b * stride + c, lanes);
    (Vec::load(out + c, lanes) + total).store(out + c, lanes);
  });
}

inline bool norm_backward(const NormBackwardArgs& a) {
  constexpr int64_t kMaxBlocks = 64, kMinRows = 16;
  const int64_t even = (a.rows + kMaxBlocks - 1) / kMaxBlocks;
  const int64_t rows_per_block = even > kMinRows ? even : kMinRows;
  const int64_t blocks = (a.rows + rows_per_block - 1) / rows_per_block;
  const int64_t stride = 2 * a.cols;  // dweight and dbias of a block
  return visit_dtype(a.dtype, [&]<class T>() {
    float* sums = static_cast<float*>(scratch(blocks * stride * static_cast<int64_t>(sizeof(float))));
    parallel_for(blocks, row_grain(kLightGrain, a.cols * rows_per_block), [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        float* dweight = sums + b * stride;
        float* dbias = dweight + a.cols;
        for_lanes(stride, [&](int64_t c, auto lanes) { Vec(0.0f).store(dweight + c, lanes); });
        const int64_t last = (b + 1) * rows_per_block < a.rows ? (b + 1) * rows_per_block : a.rows;
        for (int64_t r = b * rows_per_block; r < last; ++r) {
          norm_backward_row<T>(a, r, a.dweight == nullptr ? nullptr : dweight,
                               a.dbias == nullptr ? nullptr : dbias);
        }
      }
    });
    if (a.dweight != nullptr) add_block_sums(static_cast<float*>(a.dweight), sums, blocks, stride, a.cols);
    if (a.dbias != nullptr)
      add_block_sums(static_cast<float*>(a.dbias), sums + a.cols, blocks, stride, a.cols);
  });
}

}  // namespace quern::backend::cpu::QUERN_ISA
