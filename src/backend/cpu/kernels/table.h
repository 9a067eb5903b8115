// The kernels of one instruction set, assembled: an isa/*.cpp defines QUERN_ISA, includes its vec_*.h, then
// this.
#pragma once

#include "backend/cpu/gemm.h"
#include "backend/cpu/kernels/activation.kernel.h"
#include "backend/cpu/kernels/adamw.kernel.h"
#include "backend/cpu/kernels/attention.kernel.h"
#include "backend/cpu/kernels/attention_backward.kernel.h"
#include "backend/cpu/kernels/axpby.kernel.h"
#include "backend/cpu/kernels/binary.kernel.h"
#include "backend/cpu/kernels/cross_entropy.kernel.h"
#include "backend/cpu/kernels/decode_rows.kernel.h"
#include "backend/cpu/kernels/dropout.kernel.h"
#include "backend/cpu/kernels/embedding.kernel.h"
#include "backend/cpu/kernels/linear_blocks.kernel.h"
#include "backend/cpu/kernels/linear_rows.kernel.h"
#include "backend/cpu/kernels/norm.kernel.h"
#include "backend/cpu/kernels/pack_strips.kernel.h"
#include "backend/cpu/kernels/rope.kernel.h"
#include "backend/cpu/kernels/softmax.kernel.h"
#include "backend/cpu/kernels/store_kv.kernel.h"
#include "backend/cpu/kernels/sum.kernel.h"

namespace quern::backend::cpu::QUERN_ISA {

constexpr KernelTable make_table(const char* name) {
  return {
      .name = name,
      .gemm = cpu::gemm,
      .linear_rows = linear_rows,
      .decode_rows = decode_rows,
      .pack_strips = pack_strips,
      .linear_blocks = linear_blocks,
      .embedding = embedding,
      .embedding_backward = embedding_backward,
      .norm = norm,
      .norm_backward = norm_backward,
      .activation = activation,
      .activation_backward = activation_backward,
      .gated = gated,
      .gated_backward = gated_backward,
      .rope = rope,
      .store_kv = store_kv,
      .attention = attention,
      .attention_backward = attention_backward,
      .cross_entropy = cross_entropy,
      .binary = binary,
      .axpby = axpby,
      .sum_rows = sum_rows,
      .sum = sum,
      .softmax = softmax,
      .softmax_backward = softmax_backward,
      .dropout = dropout,
      .adamw = adamw,
  };
}

}  // namespace quern::backend::cpu::QUERN_ISA
