// The scales of blocks that hold none. No std templates: the kernels of backend/cpu/isa include this file.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace quern {

// Scales of NF4 as bitsandbytes stores them, one for `blocks_per_scale` blocks in a row: absmax[i], or, where scales were
// quantised too (Dettmers et al. 2023, arXiv 2305.14314, section 3), levels[codes[i]] * groups[i / per_group] + offset.
// A view: what the pointers point to is kept by who made it.
struct BlockScales {
  const float* absmax = nullptr;
  const uint8_t* codes = nullptr;  // in place of absmax
  const float* levels = nullptr;   // [256]
  const float* groups = nullptr;
  int64_t per_group = 1;
  float offset = 0.0f;
  int64_t blocks_per_scale = 1;
  DType dtype = DType::f32;  // f32, f16 or bf16: what a scale times a level is rounded to
  int64_t first = 0;         // the block that `of` counts from

  // That of a block. The product is rounded before the sum, fused nowhere: the same bits everywhere.
  [[gnu::always_inline]] float of(int64_t block) const {
    const int64_t i = (first + block) / blocks_per_scale;
    if (codes == nullptr) return absmax[i];
    const double product = static_cast<double>(levels[codes[i]]) * static_cast<double>(groups[i / per_group]);
    return static_cast<float>(product) + offset;
  }
  [[gnu::always_inline]] float rounded(float value) const {
    if (dtype == DType::bf16) return static_cast<float>(bfloat16(value));
    if (dtype == DType::f16) return static_cast<float>(float16(value));
    return value;
  }
};

}  // namespace quern
