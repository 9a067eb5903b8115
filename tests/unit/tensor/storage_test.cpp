// What storages keep for the next ones.
#include "tensor/storage.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace quern {
namespace {

TEST(Storage, IsWritableToItsLastByte) {
  for (const int64_t size : {0, 1, 513, 262143, 262144, 262145, 5 << 20}) {
    const auto storage = Storage::allocate(size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(storage->data()) % 64, 0u) << size;
    std::memset(storage->data(), 7, static_cast<size_t>(size));
  }
}

TEST(Storage, AStepOfTheSameSizesTakesNothingNew) {
  const std::vector<int64_t> sizes = {3 << 20, 1 << 20, 700000, 5000};
  const auto step = [&] {
    std::vector<std::shared_ptr<Storage>> held;
    std::vector<std::byte*> data;
    for (const int64_t size : sizes) held.push_back(Storage::allocate(size));
    for (const auto& storage : held) data.push_back(storage->data());
    return data;
  };
  const auto first = step();
  EXPECT_EQ(step(), first);
}

// Each size is asked for once, as by examples of other lengths in each step.
TEST(Storage, SizesThatNobodyAsksForDoNotPileUp) {
  const auto largest = Storage::allocate(int64_t{32} << 20);
  for (int64_t size = int64_t{1} << 20; size < int64_t{16} << 20; size += size / 8) {
    const auto once = Storage::allocate(size), again = Storage::allocate(size);
    const MemoryStats stats = memory_stats();
    EXPECT_LE(stats.live + stats.cached, stats.peak + stats.peak / 4) << size;
  }
  EXPECT_GT(memory_stats().cached, 0);
  trim_memory();
  EXPECT_EQ(memory_stats().cached, 0);
}

}  // namespace
}  // namespace quern
