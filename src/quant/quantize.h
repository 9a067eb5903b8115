// Tensors to block-quantised ones, on the CPU: the schemes of GGUF. Decoding is ops::cast.
#pragma once

#include <span>

#include "base/result.h"
#include "tensor/tensor.h"

namespace quern::quant {

// Whether quantize() can make it: f32, f16, bf16 and the block types from Q4_0 to MXFP4 that DType lists. The
// others (IQ1 to IQ3, NVFP4, TQ) can only be read.
bool can_quantize(DType dtype);

// x [..., C] of a floating dtype as `dtype`. `importance`, when not empty, says how much an error in each column costs
// (from an importance matrix): [C], or [M, C] for M matrices x [M, ..., C]; types with a search for scales use it. Parallel over rows; the
// result does not depend on the number of threads. Errors: unsupported for a dtype that can_quantize()
// denies; invalid_argument when C is no multiple of the block, when x holds numbers beyond the range of f16
// (65504) or NaN, or the importance one that is negative or not finite.
Result<Tensor> quantize(const Tensor& x, DType dtype, std::span<const float> importance = {});

}  // namespace quern::quant
