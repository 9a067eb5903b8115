#include "encoding/length_batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace quern::encoding {
namespace {

std::vector<int64_t> lengths_of(int64_t count) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < count; ++i) lengths.push_back(1 + i * 37 % 101);
  return lengths;
}

TEST(LengthBatches, TakesEachExampleOnceAnEpoch) {
  for (const bool sorted : {true, false}) {
    const LengthBatches batches(lengths_of(1003), 8, 3, sorted);
    EXPECT_EQ(batches.per_epoch(), 126);
    std::vector<int64_t> epochs[2];
    for (int64_t step = 0; step < 2 * batches.per_epoch(); ++step) {
      const std::vector<int64_t> chosen = batches.at(step);
      auto& epoch = epochs[static_cast<size_t>(step / batches.per_epoch())];
      epoch.insert(epoch.end(), chosen.begin(), chosen.end());
    }
    EXPECT_NE(epochs[0], epochs[1]);
    for (auto& epoch : epochs) {
      std::ranges::sort(epoch);
      std::vector<int64_t> all(1003);
      std::iota(all.begin(), all.end(), int64_t{0});
      EXPECT_EQ(epoch, all);
    }
  }
}

TEST(LengthBatches, BringsSimilarLengthsTogether) {
  const std::vector<int64_t> lengths = lengths_of(1000);
  const auto padded = [&](bool sorted) {
    const LengthBatches batches(lengths, 8, 3, sorted);
    int64_t places = 0;
    for (int64_t step = 0; step < batches.per_epoch(); ++step) {
      const std::vector<int64_t> chosen = batches.at(step);
      EXPECT_TRUE(std::ranges::is_sorted(chosen, std::greater{},
                                         [&](int64_t i) { return lengths[static_cast<size_t>(i)]; }));
      places += lengths[static_cast<size_t>(chosen.front())] * static_cast<int64_t>(chosen.size());
    }
    return places;
  };
  const int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  EXPECT_LT(padded(true), tokens + tokens / 20);
  EXPECT_GT(padded(false), tokens + tokens / 4);
}

TEST(LengthBatches, DoesNotBeginWithTheLongest) {
  const std::vector<int64_t> lengths = lengths_of(400);
  const LengthBatches batches(lengths, 8, 3, true);
  std::vector<int64_t> firsts;
  for (int64_t step = 0; step < 10; ++step)
    firsts.push_back(lengths[static_cast<size_t>(batches.at(step)[0])]);
  EXPECT_FALSE(std::ranges::is_sorted(firsts, std::greater{}));
}

}  // namespace
}  // namespace quern::encoding
