#include "ops/linear_cross_entropy.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/graph.h"
#include "ops/cast.h"
#include "support/op_rows/op_row.h"

namespace quern::ops {
namespace {

class LossTest : public ::testing::Test {
 protected:
  static constexpr int64_t kRows = 9, kVocab = 5;
  Rng rng_{8, 0};
  Tensor h_ = rows::random(rng_, {kRows, 4}, DType::f32);
  Tensor w_ = rows::random(rng_, {kVocab, 4}, DType::f32);
  Tensor targets_ = rows::random_ints(rng_, {kRows}, 0, kVocab);

  double loss_of_row(int64_t r) const {
    double total = 0.0, at_target = 0.0;
    for (int64_t v = 0; v < kVocab; ++v) {
      double logit = 0.0;
      for (int64_t c = 0; c < 4; ++c)
        logit += double{h_.data<float>()[r * 4 + c]} * w_.data<float>()[v * 4 + c];
      total += std::exp(logit);
      if (v == targets_.data<int32_t>()[r]) at_target = logit;
    }
    return std::log(total) - at_target;
  }
};

TEST_F(LossTest, IsTheSumOfWeightedRowLosses) {
  const Tensor weights = rows::random(rng_, {kRows}, DType::f32);
  const Tensor row_losses = linear_row_losses(h_, w_, targets_);
  const Tensor loss = linear_cross_entropy(h_, w_, targets_, {.weights = weights});
  double expected = 0.0;
  for (int64_t r = 0; r < kRows; ++r) {
    EXPECT_NEAR(row_losses.data<float>()[r], loss_of_row(r), 1e-5) << "row " << r;
    expected += loss_of_row(r) * weights.data<float>()[r];
  }
  EXPECT_EQ(loss.shape(), Shape());
  EXPECT_NEAR(loss.item(), expected, 1e-5);
}

TEST_F(LossTest, RecordingAndChunksDoNotChangeIt) {
  const double plain = linear_cross_entropy(h_, w_, targets_).item();
  EXPECT_NEAR(linear_cross_entropy(h_, w_, targets_, {.chunk_rows = 2}).item(), plain, 1e-5);
  autograd::require_grad(h_);
  EXPECT_NEAR(linear_cross_entropy(h_, w_, targets_).item(), plain, 1e-5);
}

TEST_F(LossTest, TakesAProjectionInBlocks) {
  const Tensor h = rows::random(rng_, {kRows, 32}, DType::f32);
  Tensor blocks({kVocab, 32}, DType::q8_0);
  auto* bytes = static_cast<uint8_t*>(blocks.raw());
  for (int64_t i = 0; i < kVocab * 34; ++i)
    bytes[i] = static_cast<uint8_t>(i % 34 == 0 ? 0x00 : i % 34 == 1 ? 0x20 : 5 * i);
  Tensor gradients[2];
  double losses[2];
  for (const bool decoded : {false, true}) {
    Tensor leaf = h.clone();
    autograd::require_grad(leaf);
    const Tensor loss = linear_cross_entropy(leaf, decoded ? cast(blocks, DType::f32) : blocks, targets_);
    losses[decoded] = loss.item();
    autograd::backward(loss);
    gradients[decoded] = autograd::grad(leaf);
  }
  EXPECT_EQ(losses[0], losses[1]);
  for (int64_t i = 0; i < h.numel(); ++i)
    EXPECT_EQ(gradients[0].data<float>()[i], gradients[1].data<float>()[i]);
}

TEST_F(LossTest, IgnoresNegativeTargets) {
  targets_.data<int32_t>()[2] = -100;
  autograd::require_grad(h_);
  const Tensor row_losses = linear_row_losses(h_, w_, targets_);
  const Tensor loss = linear_cross_entropy(h_, w_, targets_);
  autograd::backward(loss);
  EXPECT_EQ(row_losses.data<float>()[2], 0.0f);
  for (int64_t c = 0; c < 4; ++c) EXPECT_EQ(autograd::grad(h_).data<float>()[2 * 4 + c], 0.0f);
  EXPECT_NE(autograd::grad(h_).data<float>()[0], 0.0f);
}

TEST_F(LossTest, OfIgnoredRowsOnlyIsZeroWithZeroGradient) {
  targets_.fill(-1);
  autograd::require_grad(w_);
  const Tensor loss = linear_cross_entropy(h_, w_, targets_, {.weights = Tensor::zeros({kRows})});
  EXPECT_EQ(loss.item(), 0.0);
  autograd::backward(loss);
  for (const float value : autograd::grad(w_).span<float>()) EXPECT_EQ(value, 0.0f);
}

TEST_F(LossTest, AddsToAGradientThatIsThere) {
  autograd::require_grad(w_);
  autograd::backward(linear_cross_entropy(h_, w_, targets_));
  const Tensor once = autograd::grad(w_).clone();
  autograd::backward(linear_cross_entropy(h_, w_, targets_), Tensor::full({}, 2.0));
  for (int64_t i = 0; i < once.numel(); ++i) {
    EXPECT_NEAR(autograd::grad(w_).data<float>()[i], 3.0f * once.data<float>()[i], 1e-5f);
  }
}

// 1/N weights would push f16 gradients into the subnormals; the caller's loss scale comes only with dy.
TEST_F(LossTest, KeepsF16GradientsFromUnderflow) {
  constexpr double kWeight = 1e-6, kLossScale = 65536.0;
  const Tensor weights = Tensor::full({kRows}, kWeight);
  Tensor exact = h_.clone(), half = h_.to(DType::f16);
  autograd::require_grad(exact);
  autograd::require_grad(half);
  const Tensor seed = Tensor::full({}, kLossScale);
  autograd::backward(linear_cross_entropy(exact, w_, targets_, {.weights = weights}), seed);
  autograd::backward(linear_cross_entropy(half, w_.to(DType::f16), targets_, {.weights = weights}), seed);
  for (int64_t i = 0; i < exact.numel(); ++i) {
    EXPECT_NEAR(autograd::grad(half).data<float>()[i], autograd::grad(exact).data<float>()[i],
                4e-3 * kWeight * kLossScale);
  }
}

TEST(Loss, NeverHoldsTheLogitsOfTheWholeBatch) {
  constexpr int64_t kRows = 4000, kVocab = 20'000;
  Tensor h = Tensor::zeros({kRows, 2});
  const Tensor w = Tensor::zeros({kVocab, 2});
  autograd::require_grad(h);
  const int64_t before = memory_stats().live;
  reset_peak_memory();
  const Tensor loss = linear_cross_entropy(h, w, Tensor::zeros({kRows}, DType::i32));
  EXPECT_NEAR(loss.item() / kRows, std::log(kVocab), 1e-4);
  EXPECT_LE(memory_stats().peak - before, kRows * kVocab * 4 / 2);
}

}  // namespace
}  // namespace quern::ops
