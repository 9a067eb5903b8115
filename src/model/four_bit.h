// Models whose layers lie in NF4, beside which QLoRA trains (Dettmers et al. 2023, arXiv 2305.14314).
#pragma once

#include <string_view>

#include "base/result.h"
#include "nn/module.h"

namespace quern::model {

// Whether the parameter `name` of a model is the matrix of a linear map in its layers: what bitsandbytes packs, and what
// adapters lie beside.
bool is_layer_matrix(std::string_view name, const Shape& shape);

// Matrices of the layers become NF4 with double quantisation, one after the other; those in blocks and routers stay, and so
// do those whose rows are no whole blocks of 64, with a warning. `dtype`: what they are rounded to where they are decoded.
// invalid_argument names one that holds what is not finite.
Result<void> hold_in_nf4(nn::Module& model, DType dtype);

}  // namespace quern::model
