// Matrices of small integers with a scale and a zero point per group of columns: what GPTQ and AWQ make.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "tensor/tensor.h"

namespace quern::formats {

// Element (o, i) of [out, in] is scales[g, o] * (code - zeros[g, o]), where g is the group of column i.
struct AffineGrid {
  int64_t out = 0, in = 0;
  int bits = 0;                        // of a code, at most 8
  std::vector<int32_t> group_of = {};  // [in], each in [0, groups)
  std::vector<uint8_t> zeros = {};     // [groups, out]
  Tensor scales = {};                  // [groups, out], f16, bf16 or f32
};

// What holds every such matrix on `grid` without rounding: the smallest of Q4_0, Q5_0 and Q8_0 whose codes reach that
// far, where groups are whole blocks and scales are numbers of f16; else the dtype of the scales, which is what other
// programs compute with.
DType exact_dtype(const AffineGrid& grid);

// The matrix of `codes` [out, in] in exact_dtype(grid).
Tensor decode_affine(const AffineGrid& grid, std::span<const uint8_t> codes);

}  // namespace quern::formats
