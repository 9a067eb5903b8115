// AMX for bytes, beside AVX-512 with VNNI and BF16 (Intel Sapphire Rapids and later): products of many rows with
// block-quantised matrices.
#define QUERN_ISA amx_int8
#define QUERN_VEC "backend/cpu/simd/vec_avx512.h"
#define QUERN_STRIP "backend/cpu/simd/strip_avx512.h"
#define QUERN_STRIP_TILES
#include "backend/cpu/isa/tables.h"
#include "backend/cpu/kernels/linear_blocks.kernel.h"

namespace quern::backend::cpu {

void override_amx_int8(KernelTable& table) { table.linear_blocks = amx_int8::linear_blocks; }

}  // namespace quern::backend::cpu
