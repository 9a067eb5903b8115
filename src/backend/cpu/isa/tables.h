// What each instruction set exports to select.cpp. A table may be read anywhere; its kernels need their CPU.
#pragma once

#include "backend/api/kernel_table.h"

namespace quern::backend::cpu {

extern const KernelTable kScalarTable;
extern const KernelTable kAvx2Table;
extern const KernelTable kAvx512Table;
// Puts the kernels that need BF16 and VNNI over those of kAvx512Table.
void override_avx512_bf16(KernelTable& table);
// Puts the kernels that need tiles of bytes over those: after acquire_amx().
void override_amx_int8(KernelTable& table);

}  // namespace quern::backend::cpu
