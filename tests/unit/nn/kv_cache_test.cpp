#include "nn/kv_cache.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/exception.h"
#include "base/rng.h"

namespace quern::nn {
namespace {

Tensor random(const Shape& shape, uint64_t seed) {
  Tensor tensor(shape, DType::f32);
  Rng rng(seed, 1);
  for (float& value : tensor.span<float>()) value = static_cast<float>(rng.normal());
  return tensor;
}

ContiguousKvCache tiny(int64_t batch, DType dtype = DType::f32) {
  return ContiguousKvCache(
      {.layers = 2, .batch = batch, .capacity = 6, .kv_heads = 1, .head_dim = 4, .dtype = dtype});
}

Tensor attend(ContiguousKvCache& cache, const Tensor& q, const Tensor& k, const Tensor& v) {
  const ForwardContext context = cache.next(q.dim(1));
  return cache.attend(1, q, k, v, context.mask, context, {});
}

TEST(ContiguousKvCache, SequencesOfOneBatchMayHaveDifferentLengths) {
  // Sequence 0 forgets its second token: its next one must see what a cache that never had it shows.
  ContiguousKvCache pair = tiny(2), alone = tiny(1);
  const Tensor k = random({2, 2, 1, 4}, 1), v = random({2, 2, 1, 4}, 2);
  attend(pair, k, k, v);
  pair.commit(2);
  pair.truncate(0, 1);
  EXPECT_EQ(pair.length(0), 1);
  EXPECT_EQ(pair.length(1), 2);
  const Tensor first_k = k.reshaped({4, 1, 1, 4}).sliced(0, 1),
               first_v = v.reshaped({4, 1, 1, 4}).sliced(0, 1);
  attend(alone, first_k, first_k, first_v);
  alone.commit(1);

  const Tensor next_k = random({2, 1, 1, 4}, 3), next_v = random({2, 1, 1, 4}, 4);
  const Tensor together = attend(pair, next_k, next_k, next_v);
  const Tensor single = attend(alone, next_k.sliced(0, 1), next_k.sliced(0, 1), next_v.sliced(0, 1));
  EXPECT_TRUE(std::ranges::equal(together.sliced(0, 1).span<float>(), single.span<float>()));
}

TEST(ContiguousKvCache, KeepsAnotherDtypeAndAnswersInThatOfTheQuery) {
  ContiguousKvCache wide = tiny(1), narrow = tiny(1, DType::bf16);
  EXPECT_EQ(narrow.bytes() * 2, wide.bytes());
  const Tensor q = random({1, 3, 2, 4}, 1), k = random({1, 3, 1, 4}, 2), v = random({1, 3, 1, 4}, 3);
  const Tensor exact = attend(wide, q, k, v), near = attend(narrow, q, k, v);
  ASSERT_EQ(near.dtype(), DType::f32);
  for (int64_t i = 0; i < exact.numel(); ++i)
    EXPECT_NEAR(near.data<float>()[i], exact.data<float>()[i], 0.05);
}

TEST(ContiguousKvCache, RefusesMoreTokensThanItHolds) {
  ContiguousKvCache cache = tiny(1);
  cache.next(6);
  cache.commit(6);
  EXPECT_THROW(cache.next(1), ShapeError);
  cache.truncate(0, 5);
  EXPECT_NO_THROW(cache.next(1));
}

}  // namespace
}  // namespace quern::nn
