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

}  // namespace
}  // namespace quern::backend
