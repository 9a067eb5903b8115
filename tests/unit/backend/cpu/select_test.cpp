#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "backend/api/backend.h"
#include "base/cpu_features.h"

namespace quern::backend {
namespace {

TEST(CpuTables, RunFromTheWorstToTheBestThisCpuHas) {
  std::vector<std::string> names;
  for (const KernelTable* table : supported_tables()) names.emplace_back(table->name);
  std::vector<std::string> expected = {"reference", "scalar"};
  const CpuFeatures& has = cpu_features();
  if (has.avx2) expected.emplace_back("avx2");
  if (has.avx512bw && has.avx512vl && has.avx512dq) expected.emplace_back("avx512");
  if (has.avx512_bf16 && has.avx512_vnni) expected.emplace_back("avx512_bf16");
  if (has.amx_tile && has.amx_bf16) expected.emplace_back("amx");
  EXPECT_EQ(names, expected);
}

TEST(CpuFeatures, ImpliedExtensionsAreThereToo) {
  const CpuFeatures& has = cpu_features();
  if (has.avx512f) {
    EXPECT_TRUE(has.avx2 && has.fma && has.f16c);
  }
  if (has.avx512bw || has.avx512dq || has.avx512vl) {
    EXPECT_TRUE(has.avx512f);
  }
  if (has.amx_int8 || has.amx_bf16) {
    EXPECT_TRUE(has.amx_tile);
  }
  EXPECT_EQ(to_string(has).find("avx2") != std::string::npos, has.avx2);
}

}  // namespace
}  // namespace quern::backend
