// AVX2, FMA and F16C (Intel Haswell 2013, AMD Zen 2017 and later).
#define QUERN_ISA avx2
#define QUERN_VEC "backend/cpu/simd/vec_avx2.h"
#define QUERN_STRIP "backend/cpu/simd/strip_avx2.h"
#define QUERN_STRIP_PANELS
#include "backend/cpu/isa/tables.h"
#include "backend/cpu/kernels/table.h"

namespace quern::backend::cpu {

constinit const KernelTable kAvx2Table = avx2::make_table("avx2");

}  // namespace quern::backend::cpu
