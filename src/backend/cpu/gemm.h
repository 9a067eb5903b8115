// Dense matrix products, shared by every CPU kernel table.
#pragma once

#include "backend/api/kernel_table.h"

namespace quern::backend::cpu {

// The gemm slot. f32, bf16 and f16 in any mix; declines f64 and k = 0. Results do not depend on the number of
// threads where oneDNN runs its AVX-512 kernels. Thread-safe.
bool gemm(const GemmArgs& args);

}  // namespace quern::backend::cpu
