#include "ops/embedding.h"

#include <gtest/gtest.h>

#include "autograd/graph.h"
#include "ops/cast.h"
#include "ops/linear_cross_entropy.h"
#include "support/op_rows/op_row.h"

namespace quern::ops {
namespace {

TEST(Embedding, ConvertsToTheDTypeAskedFor) {
  const Tensor w = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {3, 2});
  const Tensor y = embedding(Tensor::from(std::vector<int32_t>{2, 0}, {1, 2}), w, DType::bf16);
  EXPECT_EQ(y.shape(), (Shape{1, 2, 2}));
  EXPECT_EQ(static_cast<float>(y.data<bfloat16>()[1]), 6.0f);
  EXPECT_EQ(static_cast<float>(y.data<bfloat16>()[2]), 1.0f);
}

TEST(Embedding, OfAWeightThatIsNoLeafGivesItsGradientOn) {
  Tensor master = Tensor::full({3, 2}, 1.0f);
  autograd::require_grad(master);
  const Tensor ids = Tensor::from(std::vector<int32_t>{2, 2, 0}, {3});
  autograd::backward(embedding(ids, cast(master, DType::bf16), DType::bf16));
  const float* gradient = autograd::grad(master).data<float>();
  EXPECT_EQ(gradient[0], 1.0f);
  EXPECT_EQ(gradient[2], 0.0f);
  EXPECT_EQ(gradient[4], 2.0f);
}

// A tied model: the projection and the embedding add into one gradient, over two micro-batches.
TEST(Embedding, SharesItsWeightWithTheLoss) {
  Rng rng(2, 0);
  Tensor tied = rows::random(rng, {7, 4}, DType::f32);
  autograd::require_grad(tied);
  const Tensor ids = rows::random_ints(rng, {5}, 0, 7), targets = rows::random_ints(rng, {5}, 0, 7);
  const auto gradient_of = [&](bool through_embedding, bool through_loss) {
    const Tensor in = through_embedding ? tied : tied.detached(), out = through_loss ? tied : tied.detached();
    autograd::clear_grad(tied);
    for (int micro_batch = 0; micro_batch < 2; ++micro_batch) {
      autograd::backward(linear_cross_entropy(embedding(ids, in, DType::f32), out, targets));
    }
    return autograd::grad(tied);
  };
  const Tensor both = gradient_of(true, true), in = gradient_of(true, false), out = gradient_of(false, true);
  for (int64_t i = 0; i < both.numel(); ++i) {
    EXPECT_NEAR(both.data<float>()[i], in.data<float>()[i] + out.data<float>()[i], 1e-5f);
  }
}

}  // namespace
}  // namespace quern::ops
