#include "data/permutation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <vector>

namespace quern::data {
namespace {

TEST(Permutation, VisitsEveryIndexOnce) {
  for (uint64_t size : {1, 2, 3, 5, 16, 17, 255, 256, 257, 1000, 4097}) {
    const Permutation permutation(size, 42, 3);
    std::vector<int> seen(size);
    for (uint64_t i = 0; i < size; ++i) {
      const uint64_t j = permutation(i);
      ASSERT_LT(j, size);
      ++seen[j];
    }
    for (int count : seen) ASSERT_EQ(count, 1) << size;
  }
}

TEST(Permutation, DependsOnSeedAndEpoch) {
  const uint64_t size = 1000;
  const Permutation base(size, 1, 0), seed(size, 2, 0), epoch(size, 1, 1);
  int same_seed = 0, same_epoch = 0;
  for (uint64_t i = 0; i < size; ++i) {
    same_seed += base(i) == seed(i);
    same_epoch += base(i) == epoch(i);
  }
  EXPECT_LT(same_seed, 12);
  EXPECT_LT(same_epoch, 12);
}

// A shuffled order has no linear relation to the index and no runs.
TEST(Permutation, LooksShuffled) {
  const uint64_t size = 5000;
  const Permutation permutation(size, 9, 0);
  double covariance = 0;
  int neighbours = 0;
  for (uint64_t i = 0; i < size; ++i) {
    const double mean = (size - 1) / 2.0;
    covariance += (static_cast<double>(i) - mean) * (static_cast<double>(permutation(i)) - mean);
    if (i > 0)
      neighbours +=
          std::abs(static_cast<int64_t>(permutation(i)) - static_cast<int64_t>(permutation(i - 1))) == 1;
  }
  const double variance = static_cast<double>(size) * (static_cast<double>(size) * size - 1) / 12.0;
  EXPECT_LT(std::abs(covariance / variance), 0.06);
  EXPECT_LT(neighbours, 12);
}

TEST(Permutation, HandlesHugeDomains) {
  const uint64_t size = (uint64_t{1} << 62) + 5;
  const Permutation permutation(size, 3, 0);
  for (uint64_t i = 0; i < 100; ++i) EXPECT_LT(permutation(i), size);
  EXPECT_NE(permutation(0), permutation(1));
}

}  // namespace
}  // namespace quern::data
