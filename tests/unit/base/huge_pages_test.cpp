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

TEST(HugePages, MappedMemoryIsAlignedAndWritable) {
  for (const int64_t bytes : {int64_t{1}, int64_t{5000}, kHugePage - 1, kHugePage, 3 * kHugePage + 12345}) {
    std::byte* data = map_memory(bytes);
    ASSERT_NE(data, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(huge_page_alignment(bytes, 4096)),
              0u);
    std::memset(data, 7, static_cast<size_t>(bytes));
    EXPECT_EQ(data[bytes - 1], std::byte{7});
    unmap_memory(data, bytes);
  }
}

}  // namespace
}  // namespace quern
