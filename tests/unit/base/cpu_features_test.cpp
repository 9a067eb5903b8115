#include "base/cpu_features.h"

#include <gtest/gtest.h>

namespace quern {
namespace {

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
}  // namespace quern
