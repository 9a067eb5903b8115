// Products of 16-bit matrices on the tile unit (AMX) of Intel's Sapphire Rapids and later. Our own, since the
// oneDNN of Debian 12 crashes on AMX under hypervisors that hide the palette (gemm_onednn.cpp).
#pragma once

#include "backend/api/kernel_table.h"

namespace quern::backend::cpu {

// Asks the kernel for the tile registers; false when there are none. Holds for every thread of the process.
bool acquire_amx();

// The gemm slot of the "amx" table: on tiles where a factor is bf16 or f16, otherwise as cpu::gemm. Results are as exact as
// sums of f32, and do not depend on the number of threads. Subnormal bf16 count as zero, as the tile unit has it.
bool gemm_amx(const GemmArgs& args);

}  // namespace quern::backend::cpu
