#include "nn/relative_positions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/graph.h"

namespace quern::nn {
namespace {

std::vector<int64_t> buckets_of(const std::vector<int64_t>& offsets, const RelativePositionSpec& spec) {
  std::vector<int64_t> buckets;
  for (const int64_t offset : offsets) buckets.push_back(relative_bucket(offset, spec));
  return buckets;
}

// Expected values: T5Attention._relative_position_bucket of transformers.
TEST(RelativeBucket, OfEncodersTellsBeforeFromAfter) {
  const std::vector<int64_t> offsets{-1000, -128, -127, -91, -90, -64, -32, -16, -12, -11, -9, -8,  -7,  -1,
                                     0,     1,    7,    8,   15,  16,  45,  46,  63,  64,  90, 127, 128, 500};
  EXPECT_THAT(buckets_of(offsets, {}),
              ::testing::ElementsAre(15, 15, 15, 15, 14, 14, 12, 10, 9, 8, 8, 8, 7, 1, 0, 17, 23, 24, 25, 26,
                                     28, 29, 29, 30, 30, 31, 31, 31));
}

TEST(RelativeBucket, OfDecodersLooksBackOnly) {
  const std::vector<int64_t> offsets{3, 0, -1, -15, -16, -20, -21, -32, -63, -64, -100, -127, -128, -400};
  EXPECT_THAT(buckets_of(offsets, {.bidirectional = false}),
              ::testing::ElementsAre(0, 0, 1, 15, 16, 17, 18, 21, 26, 26, 30, 31, 31, 31));
}

TEST(RelativeBucket, CountsBucketsAndDistances) {
  EXPECT_THAT(
      buckets_of({-30, -19, -9, -3, -2, -1, 0, 1, 2, 3, 6, 7, 20}, {.buckets = 8, .max_distance = 20}),
      ::testing::ElementsAre(3, 3, 3, 2, 2, 1, 0, 5, 6, 6, 6, 7, 7));
}

TEST(RelativePositions, BiasIsTheRowOfTheBucketForEachHead) {
  RelativePositions positions({.heads = 3, .buckets = 8, .max_distance = 20});
  initialise(positions, 1);
  Tensor table;
  visit(positions, [&](const std::string&, const Parameter& p) { table = p.value(); });
  const Tensor queries = Tensor::from(std::vector<int32_t>{4, 5, 7, 8}, {2, 2});
  const Tensor bias = positions.bias(queries, 9);
  ASSERT_EQ(bias.shape(), (Shape{2, 3, 2, 9}));
  for (int64_t i = 0; i < bias.numel(); ++i) {
    const int64_t key = i % 9, t = i / 9 % 2, h = i / 18 % 3, b = i / 54;
    const int64_t bucket =
        relative_bucket(key - queries.data<int32_t>()[b * 2 + t], {.buckets = 8, .max_distance = 20});
    EXPECT_EQ(bias.data<float>()[i], table.data<float>()[bucket * 3 + h]);
  }
}

TEST(RelativePositions, SequencesAlikeShareABias) {
  RelativePositions positions({.heads = 2});
  initialise(positions, 1);
  const Tensor bias = positions.bias(Tensor::from(std::vector<int32_t>{0, 1, 2, 0, 1, 2}, {2, 3}), 3);
  EXPECT_EQ(bias.shape(), (Shape{1, 2, 3, 3}));
}

TEST(RelativePositions, TheTableLearnsHowOftenABucketCame) {
  RelativePositions positions({.heads = 2, .buckets = 4, .max_distance = 3});
  initialise(positions, 1);
  const Tensor bias = positions.bias(Tensor::from(std::vector<int32_t>{0, 1}, {1, 2}), 2);
  autograd::backward(bias);
  // Offsets 0, 1, -1, 0: buckets 0 twice, 1 (before) and 3 (after) once.
  visit(positions, [](const std::string&, const Parameter& p) {
    EXPECT_THAT(p.grad().span<float>(), ::testing::ElementsAre(2, 2, 1, 1, 0, 0, 1, 1));
  });
}

}  // namespace
}  // namespace quern::nn
