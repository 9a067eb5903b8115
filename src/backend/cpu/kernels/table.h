// The kernels of one instruction set, assembled: an isa/*.cpp defines QUERN_ISA, includes its vec_*.h, then
// this.
#pragma once

#include "backend/cpu/gemm.h"
#include "backend/cpu/kernels/attention.kernel.h"
#include "backend/cpu/kernels/attention_backward.kernel.h"
#include "backend/cpu/kernels/axpby.kernel.h"
#include "backend/cpu/kernels/binary.kernel.h"

namespace quern::backend::cpu::QUERN_ISA {

constexpr KernelTable make_table(const char* name) {
  return {
      .name = name,
      .gemm = cpu::gemm,
      .linear_rows = nullptr,
      .embedding = nullptr,
      .embedding_backward = nullptr,
      .norm = nullptr,
      .norm_backward = nullptr,
      .activation = nullptr,
      .activation_backward = nullptr,
      .gated = nullptr,
      .gated_backward = nullptr,
      .rope = nullptr,
      .attention = attention,
      .attention_backward = attention_backward,
      .cross_entropy = nullptr,
      .binary = binary,
      .axpby = axpby,
      .sum_rows = nullptr,
      .sum = nullptr,
      .softmax = nullptr,
      .softmax_backward = nullptr,
      .dropout = nullptr,
      .adamw = nullptr,
  };
}

}  // namespace quern::backend::cpu::QUERN_ISA
