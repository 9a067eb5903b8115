#include "base/read_bandwidth.h"

#include <gtest/gtest.h>

namespace quern {
namespace {

TEST(ReadBandwidth, ReadsEveryByteOfAnySize) {
  for (const int64_t bytes : {int64_t{1}, int64_t{512} << 10, (int64_t{5} << 20) + 3}) {
    ReadBandwidth memory(bytes);
    EXPECT_GT(memory.measure(), 0.0);  // throws when it read something else than was written
    EXPECT_GT(memory.measure(), 0.0);
  }
}

TEST(ReadBandwidth, GoesBeyondTheCaches) { EXPECT_GT(bytes_beyond_caches(), 0); }

}  // namespace
}  // namespace quern
