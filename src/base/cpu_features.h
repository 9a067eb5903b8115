// What the CPU and the operating system let this process execute.
#pragma once

#include <string>

namespace quern {

// An extension is true when the CPU has it and the system saves its registers. All false off x86.
struct CpuFeatures {
  std::string brand;  // "AMD EPYC 9R14", empty when unknown
  bool avx2 = false, fma = false, f16c = false;
  bool avx512f = false, avx512bw = false, avx512dq = false, avx512vl = false;
  bool avx512_vnni = false, avx512_bf16 = false, avx512_fp16 = false;
  bool amx_tile = false, amx_int8 = false, amx_bf16 = false;
};

// Looked up once; thread-safe.
const CpuFeatures& cpu_features();

// The names of the extensions that are there, separated by spaces: "avx2 fma f16c ...".
std::string to_string(const CpuFeatures& features);

}  // namespace quern
