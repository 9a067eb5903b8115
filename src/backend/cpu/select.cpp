// Registers the kernel tables this CPU can run, worst to best. Compiled for the oldest CPU the build
// supports.
#include <dnnl.h>
#include <fmt/format.h>

#include "backend/api/backend.h"
#include "backend/cpu/gemm_amx.h"
#include "backend/cpu/isa/tables.h"
#include "base/cpu_features.h"

namespace quern::backend {

void register_cpu() {
  const dnnl_version_t* onednn = dnnl_version();
  add_library(fmt::format("oneDNN {}.{}.{}", onednn->major, onednn->minor, onednn->patch));
  add_table(&cpu::kScalarTable);
#if defined(__x86_64__)
  const CpuFeatures& has = cpu_features();
  const bool avx2 = has.avx2 && has.fma && has.f16c;
  if (avx2) add_table(&cpu::kAvx2Table);
#if defined(QUERN_AVX512)  // cmake/cpu_backend.cmake
  const bool avx512 = avx2 && has.avx512f && has.avx512bw && has.avx512dq && has.avx512vl;
  if (avx512) add_table(&cpu::kAvx512Table);
  if (avx512 && has.avx512_vnni && has.avx512_bf16) {
    static const KernelTable table = [] {
      KernelTable best = cpu::kAvx512Table;
      cpu::override_avx512_bf16(best);
      return best;
    }();
    add_table(&table);
    if (cpu::acquire_amx()) {
      static const KernelTable tiles = [] {
        KernelTable best = table;
        best.name = "amx";
        best.gemm = cpu::gemm_amx;
        if (cpu_features().amx_int8) cpu::override_amx_int8(best);
        return best;
      }();
      add_table(&tiles);
    }
  }
#endif
#endif
}

}  // namespace quern::backend
