// AVX-512 F, BW, DQ and VL (Intel Skylake-SP 2017, AMD Zen 4 and later).
#define QUERN_ISA avx512
#define QUERN_VEC "backend/cpu/simd/vec_avx512.h"
#define QUERN_STRIP "backend/cpu/simd/strip_avx2.h"
#include "backend/cpu/isa/tables.h"
#include "backend/cpu/kernels/table.h"

namespace quern::backend::cpu {

constinit const KernelTable kAvx512Table = avx512::make_table("avx512");

}  // namespace quern::backend::cpu
