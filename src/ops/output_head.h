// What makes logits of states: softcap * tanh((h . weight^T + bias) / softcap).
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

struct OutputHead {
  Tensor weight;         // [V, C] of any floating dtype, or in blocks and frozen
  Tensor bias = {};      // wide [V]; undefined: none
  double softcap = 0.0;  // 0: none
};

}  // namespace quern::ops
