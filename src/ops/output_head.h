// What makes logits of states: softcap * tanh((h . weight^T + bias) / softcap).
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace quern::ops {

// Rows that stand in the places of a head's own: of tokens that are learnt beside a head that stays as it is.
struct ReplacedRows {
  std::vector<int32_t> ids = {};  // whose rows: below V, each once
  Tensor rows = {};               // [n, C] of any floating dtype; undefined: none is replaced
};

struct OutputHead {
  Tensor weight;         // [V, C] of any floating dtype, or in blocks and frozen
  Tensor bias = {};      // wide [V]; undefined: none
  double softcap = 0.0;  // 0: none
  ReplacedRows replaced = {};
};

}  // namespace quern::ops
