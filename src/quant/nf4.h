// Matrices to NF4 with double quantisation (Dettmers et al. 2023, arXiv 2305.14314), as bitsandbytes makes them. Decoding
// is ops::cast.
#pragma once

#include <span>

#include "base/result.h"
#include "tensor/tensor.h"

namespace quern::quant {

// x [N, K] of a floating dtype as DType::nf4: a scale for 64 elements, in 8 bits, with an f32 for 256 of these: 4.127 bits an
// element. `dtype` (f32, f16, bf16) is what its values are rounded to where they are decoded. Parallel; the result does not
// depend on the number of threads. invalid_argument when K is no multiple of 64, or x holds what is not finite.
Result<Tensor> quantize_nf4(const Tensor& x, DType dtype);

// What codes of its scales stand for, ascending: the "dynamic" map of bitsandbytes (Dettmers et al. 2022, arXiv 2110.02861),
// whose steps grow tenfold with the magnitude.
std::span<const float, 256> dynamic_levels();

}  // namespace quern::quant
