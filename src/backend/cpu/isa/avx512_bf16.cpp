// AVX-512 with VNNI and BF16 (Intel Cooper Lake and Sapphire Rapids, AMD Zen 4 and later): the kernels that
// its dot products make faster than those of avx512.cpp.
#define QUERN_ISA avx512_bf16
#define QUERN_VEC "backend/cpu/simd/vec_avx512.h"
#define QUERN_STRIP "backend/cpu/simd/strip_avx512.h"
#include "backend/cpu/isa/tables.h"
#include "backend/cpu/kernels/linear_blocks.kernel.h"

namespace quern::backend::cpu {

void override_avx512_bf16(KernelTable& table) {
  table.name = "avx512_bf16";
  table.linear_blocks = avx512_bf16::linear_blocks;
}

}  // namespace quern::backend::cpu
