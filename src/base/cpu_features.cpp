#include "base/cpu_features.h"

#include <array>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace quern {

namespace {

#if defined(__x86_64__)

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// All zero when the CPU does not have the leaf.
Registers cpuid(unsigned leaf, unsigned subleaf = 0) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

constexpr bool bit(unsigned word, int index) { return ((word >> index) & 1u) != 0; }

// XCR0: which register sets the system saves on a context switch. Precondition: OSXSAVE.
uint64_t saved_registers() {
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

std::string brand_string() {
  std::array<char, 49> text{};
  for (unsigned i = 0; i < 3; ++i) {
    const Registers r = cpuid(0x80000002u + i);
    std::memcpy(text.data() + 16 * i, &r, 16);
  }
  std::string brand(text.data());
  brand.erase(0, brand.find_first_not_of(' '));
  brand.erase(brand.find_last_not_of(' ') + 1);
  return brand;
}

// Bit positions: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID; volume
// 1, 13.3, XCR0.
CpuFeatures detect() {
  CpuFeatures f;
  f.brand = brand_string();
  const Registers basic = cpuid(1), extended = cpuid(7, 0), more = cpuid(7, 1);
  const bool osxsave = bit(basic.ecx, 27);
  const uint64_t saved = osxsave ? saved_registers() : 0;
  constexpr uint64_t kYmm = 0x6, kZmm = kYmm | 0xe0, kTiles = 0x60000;
  if ((saved & kYmm) == kYmm) {
    f.fma = bit(basic.ecx, 12);
    f.f16c = bit(basic.ecx, 29);
    f.avx2 = bit(basic.ecx, 28) && bit(extended.ebx, 5);
  }
  if ((saved & kZmm) == kZmm) {
    f.avx512f = bit(extended.ebx, 16);
    f.avx512dq = bit(extended.ebx, 17);
    f.avx512bw = bit(extended.ebx, 30);
    f.avx512vl = bit(extended.ebx, 31);
    f.avx512_vnni = bit(extended.ecx, 11);
    f.avx512_fp16 = bit(extended.edx, 23);
    f.avx512_bf16 = bit(more.eax, 5);
  }
  if ((saved & kTiles) == kTiles) {
    f.amx_bf16 = bit(extended.edx, 22);
    f.amx_tile = bit(extended.edx, 24);
    f.amx_int8 = bit(extended.edx, 25);
  }
  return f;
}

#else

CpuFeatures detect() { return {}; }

#endif

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

std::string to_string(const CpuFeatures& f) {
  const struct {
    bool there;
    const char* name;
  } rows[] = {
      {f.avx2, "avx2"},
      {f.fma, "fma"},
      {f.f16c, "f16c"},
      {f.avx512f, "avx512f"},
      {f.avx512bw, "avx512bw"},
      {f.avx512dq, "avx512dq"},
      {f.avx512vl, "avx512vl"},
      {f.avx512_vnni, "avx512_vnni"},
      {f.avx512_bf16, "avx512_bf16"},
      {f.avx512_fp16, "avx512_fp16"},
      {f.amx_tile, "amx_tile"},
      {f.amx_int8, "amx_int8"},
      {f.amx_bf16, "amx_bf16"},
  };
  std::string names;
  for (const auto& row : rows) {
    if (row.there) names += (names.empty() ? "" : " ") + std::string(row.name);
  }
  return names;
}

}  // namespace quern
