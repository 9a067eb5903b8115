// States of tokens as one vector for each text, recorded by the tape: what infer::pooled makes where nothing learns.
#pragma once

#include <span>

#include "infer/sentence_form.h"
#include "tensor/tensor.h"

namespace quern::encoding {

// wide [B, n C] of states [B, T, C], of which the first lengths[b] are text: one vector after the other for the n ways in
// `pooling`, of which none is Pooling::pooler. Differentiable.
Tensor pooled_states(const Tensor& states, std::span<const int64_t> lengths,
                     std::span<const infer::Pooling> pooling);

}  // namespace quern::encoding
