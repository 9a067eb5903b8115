#include "base/huge_pages.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

namespace quern {
namespace {

TEST(HugePages, AlignsOnlyWhatHoldsAWholePage) {
  EXPECT_EQ(huge_page_alignment(kHugePage - 1, 64), 64);
  EXPECT_EQ(huge_page_alignment(kHugePage, 64), kHugePage);
}

TEST(HugePages, MemoryStaysUsableUpToItsLastByte) {
  const size_t bytes = 3 * static_cast<size_t>(kHugePage);
  auto* data = static_cast<unsigned char*>(std::aligned_alloc(static_cast<size_t>(kHugePage), bytes));
  ASSERT_NE(data, nullptr);
  advise_huge_pages(data, static_cast<int64_t>(bytes) - 5);
  std::memset(data, 7, bytes);
  EXPECT_EQ(data[bytes - 1], 7);
  std::free(data);
}

}  // namespace
}  // namespace quern
