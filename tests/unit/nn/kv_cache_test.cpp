#include "nn/kv_cache.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/exception.h"
#include "base/rng.h"
#include "unit/nn/normal_tensor.h"

namespace quern::nn {
namespace {

using test::normal_tensor;

ContiguousKvCache tiny(int64_t batch, DType dtype = DType::f32) {
  return ContiguousKvCache(
      KvCacheSpec{.layers = 2, .batch = batch, .capacity = 6, .kv_heads = 1, .head_dim = 4, .dtype = dtype});
}

Tensor attend(ContiguousKvCache& cache, const Tensor& q, const Tensor& k, const Tensor& v) {
  const ForwardContext context = cache.next(q.dim(1));
  return cache.attend(1, q, k, v, context.mask, context, {});
}

TEST(ContiguousKvCache, SequencesOfOneBatchMayHaveDifferentLengths) {
  // Sequence 0 forgets its second token: its next one must see what a cache that never had it shows.
  ContiguousKvCache pair = tiny(2), alone = tiny(1);
  const Tensor k = normal_tensor({2, 2, 1, 4}, 1), v = normal_tensor({2, 2, 1, 4}, 2);
  attend(pair, k, k, v);
  pair.commit(2);
  pair.truncate(0, 1);
  EXPECT_EQ(pair.length(0), 1);
  EXPECT_EQ(pair.length(1), 2);
  const Tensor first_k = k.reshaped({4, 1, 1, 4}).sliced(0, 1),
               first_v = v.reshaped({4, 1, 1, 4}).sliced(0, 1);
  attend(alone, first_k, first_k, first_v);
  alone.commit(1);

  const Tensor next_k = normal_tensor({2, 1, 1, 4}, 3), next_v = normal_tensor({2, 1, 1, 4}, 4);
  const Tensor together = attend(pair, next_k, next_k, next_v);
  const Tensor single = attend(alone, next_k.sliced(0, 1), next_k.sliced(0, 1), next_v.sliced(0, 1));
  EXPECT_TRUE(std::ranges::equal(together.sliced(0, 1).span<float>(), single.span<float>()));
}

TEST(ContiguousKvCache, KeepsAnotherDtypeAndAnswersInThatOfTheQuery) {
  ContiguousKvCache wide = tiny(1), narrow = tiny(1, DType::bf16);
  EXPECT_EQ(narrow.bytes() * 2, wide.bytes());
  const Tensor q = normal_tensor({1, 3, 2, 4}, 1), k = normal_tensor({1, 3, 1, 4}, 2),
               v = normal_tensor({1, 3, 1, 4}, 3);
  const Tensor exact = attend(wide, q, k, v), near = attend(narrow, q, k, v);
  ASSERT_EQ(near.dtype(), DType::f32);
  for (int64_t i = 0; i < exact.numel(); ++i)
    EXPECT_NEAR(near.data<float>()[i], exact.data<float>()[i], 0.05);
}

// One layer with a window, in a ring, and one without, in a cache of `capacity` tokens and passes of up to 50.
ContiguousKvCache windowed(int64_t window, int64_t capacity) {
  return ContiguousKvCache(KvCacheSpec{.layers = 2,
                                       .batch = 1,
                                       .capacity = capacity,
                                       .kv_heads = 1,
                                       .head_dim = 4,
                                       .windows = {window, 0},
                                       .chunk = 50});
}

// Feeds `count` tokens in passes of `piece` to layer 0 under a window of 100; keys are a function of the position.
// Returns what the last query sees.
std::vector<float> feed(ContiguousKvCache& cache, int64_t count, int64_t piece) {
  Tensor last;
  for (int64_t left = count; left > 0; left -= piece) {
    const int64_t time = std::min(left, piece);
    const ForwardContext context = cache.next(time);
    const auto first = static_cast<uint64_t>(cache.length(0));
    Tensor k({1, time, 1, 4}, DType::f32), v({1, time, 1, 4}, DType::f32);
    for (int64_t t = 0; t < time; ++t) {
      const Tensor key = normal_tensor({1, 1, 1, 4}, 100 + first + static_cast<uint64_t>(t));
      std::ranges::copy(key.span<float>(), k.data<float>() + t * 4);
      std::ranges::copy(key.span<float>(), v.data<float>() + t * 4);
    }
    last = cache.attend(0, k, k, v, narrowed(context.mask, 100), context, {});
    cache.commit(time);
  }
  const auto row = last.span<float>().last(4);
  return {row.begin(), row.end()};
}

TEST(ContiguousKvCache, ARingSeesWhatAWholeCacheSees) {
  ContiguousKvCache ring = windowed(100, 1000), whole = windowed(0, 1000);
  EXPECT_EQ(ring.spec().blocks(0), 4) << "100 + 50 - 2 tokens begin anywhere in a block of 64";
  EXPECT_EQ(ring.spec().blocks(1), 16);
  EXPECT_EQ(ring.bytes(), (4 + 16) * 2 * 64 * 4 * 4);
  for (const int64_t piece : {50, 1, 7, 50, 33})
    EXPECT_EQ(feed(ring, 171, piece), feed(whole, 171, piece)) << piece;
  EXPECT_THROW(ring.next(51), ShapeError);
}

// Going back a little finds the window in the ring; going back far finds nothing, and says so.
TEST(ContiguousKvCache, ARingForgetsWhatItCannotShow) {
  ContiguousKvCache ring = windowed(100, 1000), whole = windowed(0, 1000);
  feed(ring, 700, 50), feed(whole, 700, 50);
  EXPECT_EQ(ring.truncate(0, 660), 660);
  whole.truncate(0, 660);
  EXPECT_EQ(feed(ring, 30, 10), feed(whole, 30, 10));
  EXPECT_EQ(ring.truncate(0, 400), 0);
  EXPECT_EQ(whole.truncate(0, 400), 400);
  EXPECT_EQ(ring.length(0), 0);
  whole.truncate(0, 0);
  EXPECT_EQ(feed(ring, 80, 10), feed(whole, 80, 10));
}

// What is kept moves up, in the ring as in the whole cache, and no other token is touched.
TEST(ContiguousKvCache, DropsTokensFromTheMiddle) {
  ContiguousKvCache ring = windowed(100, 1000), whole = windowed(0, 1000);
  feed(ring, 500, 50), feed(whole, 500, 50);
  int64_t turned = 0;
  const auto turn = [&](int64_t, const Tensor& keys) { return ++turned, keys; };
  ring.drop(0, 3, 203, turn);
  whole.drop(0, 3, 203, turn);
  EXPECT_EQ(turned, 4);
  EXPECT_EQ(ring.length(0), 300);
  EXPECT_EQ(feed(ring, 20, 1), feed(whole, 20, 1));
  // Dropped from the end, it is as if they had never been.
  ContiguousKvCache never = windowed(0, 1000);
  feed(whole, 60, 20), feed(never, 200, 50);
  whole.truncate(0, 0);
  feed(whole, 260, 50);
  whole.drop(0, 200, 260, turn);
  EXPECT_EQ(feed(whole, 5, 1), feed(never, 5, 1));
  EXPECT_THROW(whole.drop(0, 10, 1000, turn), ShapeError);
}

TEST(ContiguousKvCache, RefusesMoreTokensThanItHolds) {
  ContiguousKvCache cache = tiny(1);
  cache.next(6);
  cache.commit(6);
  EXPECT_THROW(cache.next(1), ShapeError);
  cache.truncate(0, 5);
  EXPECT_NO_THROW(cache.next(1));
}

// Three sequences that exchange what they hold, over several blocks, against caches of one that were never reordered.
void expect_reorders(const std::vector<int64_t>& windows, int64_t chunk) {
  constexpr int64_t kCapacity = 400, kPrompt = 130, kSteps = 150;
  const KvCacheSpec spec{.layers = 2,
                         .batch = 1,
                         .capacity = kCapacity,
                         .kv_heads = 1,
                         .head_dim = 4,
                         .windows = windows,
                         .chunk = chunk};
  KvCacheSpec three = spec;
  three.batch = 3;
  ContiguousKvCache prompt(spec), together(three);
  const auto feed_both_layers = [](ContiguousKvCache& cache, const Tensor& k, std::vector<Tensor>& seen,
                                   const std::vector<int64_t>& narrow) {
    const ForwardContext context = cache.next(k.dim(1));
    seen.clear();
    for (int64_t layer = 0; layer < 2; ++layer) {
      const int64_t window = narrow.empty() ? 0 : narrow[static_cast<size_t>(layer)];
      seen.push_back(cache.attend(layer, k, k, k, narrowed(context.mask, window), context, {}));
    }
    cache.commit(k.dim(1));
  };
  std::vector<Tensor> seen, alone_seen;
  std::vector<float> of_prompt;
  for (int64_t t = 0; t < kPrompt; t += 13) {
    const Tensor k = normal_tensor({1, 13, 1, 4}, static_cast<uint64_t>(t));
    of_prompt.insert(of_prompt.end(), k.span<float>().begin(), k.span<float>().end());
    feed_both_layers(prompt, k, seen, windows);
  }
  together.fork(prompt, 0);
  std::vector<std::vector<float>> history(3, of_prompt);
  const std::vector<std::vector<int64_t>> orders{{0, 1, 2}, {1, 1, 0}, {2, 0, 2}, {0, 0, 0}, {2, 1, 0}};
  for (int64_t step = 0; step < kSteps; ++step) {
    const Tensor k = normal_tensor({3, 1, 1, 4}, static_cast<uint64_t>(1000 + step));
    feed_both_layers(together, k, seen, windows);
    for (size_t b = 0; b < 3; ++b) {
      for (size_t d = 0; d < 4; ++d) history[b].push_back(k.data<float>()[b * 4 + d]);
    }
    const std::vector<int64_t>& order = orders[static_cast<size_t>(step * 7 / 3) % orders.size()];
    if (step + 1 == kSteps) break;
    together.reorder(order);
    std::vector<std::vector<float>> next;
    for (const int64_t b : order) next.push_back(history[static_cast<size_t>(b)]);
    history = std::move(next);
  }
  for (size_t b = 0; b < 3; ++b) {
    ContiguousKvCache alone(spec);
    const auto tokens = static_cast<int64_t>(history[b].size()) / 4;
    for (int64_t t = 0; t < tokens; ++t) {
      const Tensor k = Tensor::from(
          std::vector<float>(history[b].begin() + t * 4, history[b].begin() + t * 4 + 4), {1, 1, 1, 4});
      feed_both_layers(alone, k, alone_seen, windows);
    }
    for (size_t layer = 0; layer < 2; ++layer) {
      const auto row = static_cast<int64_t>(b);
      EXPECT_TRUE(
          std::ranges::equal(seen[layer].sliced(row, row + 1).span<float>(), alone_seen[layer].span<float>()))
          << "sequence " << b << ", layer " << layer;
    }
  }
}

TEST(ContiguousKvCache, SequencesExchangeWhatTheyHold) { expect_reorders({}, 0); }

TEST(ContiguousKvCache, SequencesExchangeWhatTheirRingsHold) { expect_reorders({70, 0}, 20); }

TEST(ContiguousKvCache, RefusesToCutWhatSequencesMayShare) {
  ContiguousKvCache pair = tiny(2);
  const Tensor k = normal_tensor({2, 2, 1, 4}, 1);
  attend(pair, k, k, k);
  pair.commit(2);
  pair.reorder(std::vector<int64_t>{1, 1});
  EXPECT_THROW(pair.truncate(0, 1), ShapeError);
  EXPECT_EQ(pair.truncate(0, 2), 2);
  EXPECT_THROW(pair.reorder(std::vector<int64_t>{0, 2}), ShapeError);
}

}  // namespace
}  // namespace quern::nn
