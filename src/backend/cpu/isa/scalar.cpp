// Any CPU: what the compiler targets by default.
#define QUERN_ISA scalar
#define QUERN_VEC "backend/cpu/simd/vec_scalar.h"
#define QUERN_STRIP "backend/cpu/simd/strip_scalar.h"
#include "backend/cpu/isa/tables.h"
#include "backend/cpu/kernels/table.h"

namespace quern::backend::cpu {

constinit const KernelTable kScalarTable = scalar::make_table("scalar");

}  // namespace quern::backend::cpu
