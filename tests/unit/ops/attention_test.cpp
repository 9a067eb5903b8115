#include "ops/attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/exception.h"
#include "support/op_rows/op_row.h"

namespace quern::ops {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

TEST(CausalMask, ShowsWhatPrecedes) {
  const AttentionMask mask = causal_mask(2, 3);
  EXPECT_THAT(mask.begin.span<int32_t>(), ElementsAre(0, 0, 0, 0, 0, 0));
  EXPECT_THAT(mask.end.span<int32_t>(), ElementsAre(1, 2, 3, 1, 2, 3));
}

TEST(CausalMask, CountsTheCacheAndKeepsToWindowAndDocument) {
  const Tensor starts = Tensor::from(std::vector<int32_t>{0, 0, 6, 6}, {1, 4});
  const AttentionMask mask = causal_mask(1, 4, {.past = 4, .window = 3, .document_starts = starts});
  EXPECT_THAT(mask.begin.span<int32_t>(), ElementsAre(2, 3, 6, 6));
  EXPECT_THAT(mask.end.span<int32_t>(), ElementsAre(5, 6, 7, 8));
}

TEST(CausalMask, RefusesStartsOfAnotherShape) {
  EXPECT_THROW(causal_mask(1, 4, {.document_starts = Tensor::zeros({1, 3}, DType::i32)}), ShapeError);
  EXPECT_THROW(causal_mask(1, 4, {.window = -1}), ShapeError);
}

TEST(AlibiSlopes, FollowThePaper) {
  EXPECT_THAT(alibi_slopes(8).span<float>(),
              ElementsAreArray({0.5f, 0.25f, 0.125f, 0.0625f, 0.03125f, 0.015625f, 0.0078125f, 0.00390625f}));
  // Six heads: the four of a model of four, then the odd ones of a model of eight.
  EXPECT_THAT(alibi_slopes(4, 4.0).span<float>(), ElementsAre(0.5f, 0.25f, 0.125f, 0.0625f));
  EXPECT_THAT(alibi_slopes(6).span<float>(),
              ElementsAreArray({0.25f, 0.0625f, 0.015625f, 0.00390625f, 0.5f, 0.125f}));
}

class AttentionTest : public ::testing::Test {
 protected:
  Rng rng_{4, 0};
  Tensor q_ = rows::random(rng_, {2, 5, 4, 8}, DType::f32);
  Tensor k_ = rows::random(rng_, {2, 5, 2, 8}, DType::f32);
  Tensor v_ = rows::random(rng_, {2, 5, 2, 8}, DType::f32);
};

TEST_F(AttentionTest, OfOneKeyIsItsValue) {
  const AttentionMask self{Tensor::from(std::vector<int32_t>{0, 1, 2, 3, 4, 0, 1, 2, 3, 4}, {2, 5}),
                           causal_mask(2, 5).end};
  const Tensor y = attention(q_, k_, v_, self);
  for (int64_t row = 0; row < 10; ++row) {
    for (int64_t h = 0; h < 4; ++h) {
      for (int64_t d = 0; d < 8; ++d) {
        EXPECT_FLOAT_EQ(y.data<float>()[(row * 4 + h) * 8 + d], v_.data<float>()[(row * 2 + h / 2) * 8 + d]);
      }
    }
  }
}

TEST_F(AttentionTest, OfAnEmptyRangeIsZero) {
  const Tensor zero = Tensor::zeros({2, 5}, DType::i32);
  const Tensor y = attention(q_, k_, v_, {zero, zero});
  for (const float value : y.span<float>()) EXPECT_EQ(value, 0.0f);
}

TEST_F(AttentionTest, SeesNothingOutsideItsRange) {
  const AttentionMask mask = causal_mask(2, 5, {.window = 2});
  const Tensor before = attention(q_, k_, v_, mask).clone();
  k_.sliced(0, 1).reshaped({5, 16}).sliced(3, 5).fill(1e4);
  v_.sliced(0, 1).reshaped({5, 16}).sliced(3, 5).fill(1e4);
  const Tensor after = attention(q_, k_, v_, mask);
  EXPECT_EQ(std::memcmp(before.raw(), after.raw(), 3 * 4 * 8 * sizeof(float)), 0)
      << "queries 0 to 2 see keys 0 to 2";
}

TEST_F(AttentionTest, SurvivesLargeScores) {
  const Tensor y = attention(q_, k_, v_, causal_mask(2, 5), {.scale = 1e4});
  for (const float value : y.span<float>()) EXPECT_LE(std::abs(value), 10.0f);
}

TEST_F(AttentionTest, RefusesAMaskThatLeavesTheKeys) {
  EXPECT_THROW(attention(q_, k_, v_, causal_mask(2, 5, {.past = 1})), ShapeError);
  EXPECT_THROW(attention(q_, k_, v_, {Tensor::full({2, 5}, -1, DType::i32), causal_mask(2, 5).end}),
               ShapeError);
}

}  // namespace
}  // namespace quern::ops
