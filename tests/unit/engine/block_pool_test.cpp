#include "engine/block_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "ops/kv_store.h"

namespace quern::engine {
namespace {

using ops::kKvSlots;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<int32_t> numbers(int32_t first, int64_t count) {
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

// A chain of blocks that hold `tokens`, held once each.
std::vector<int32_t> store(BlockPool& pool, const std::string& scope, std::span<const int32_t> tokens) {
  std::vector<int32_t> blocks;
  for (; !tokens.empty();) {
    const auto here = tokens.first(std::min<size_t>(tokens.size(), kKvSlots));
    blocks.push_back(pool.remember(scope, blocks.empty() ? -1 : blocks.back(), *pool.take(), here));
    tokens = tokens.subspan(here.size());
  }
  return blocks;
}

void release(BlockPool& pool, const std::vector<int32_t>& blocks) {
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) pool.release(*block);
}

TEST(BlockPool, FindsTheLongestKnownBeginning) {
  BlockPool pool(8);
  const auto text = numbers(0, 3 * kKvSlots);
  const auto blocks = store(pool, "", text);
  EXPECT_EQ(pool.match("", text).blocks, blocks);
  EXPECT_EQ(pool.match("", text).partial, -1);

  auto other = numbers(0, 2 * kKvSlots);
  other[kKvSlots + 5] = 99999;
  const BlockPool::Match match = pool.match("", other);
  EXPECT_THAT(match.blocks, ElementsAre(blocks[0]));
  EXPECT_EQ(match.partial, blocks[1]);
  EXPECT_EQ(match.shared, 5);
  EXPECT_EQ(match.tokens(), kKvSlots + 5);
  EXPECT_EQ(pool.match("", numbers(1, 70)).tokens(), 0);
}

TEST(BlockPool, FindsTheBeginningOfABlockThatIsNotFull) {
  BlockPool pool(2);
  const auto blocks = store(pool, "", numbers(0, 10));
  EXPECT_EQ(pool.match("", numbers(0, 20)).tokens(), 10);
  EXPECT_EQ(pool.remember("", -1, blocks[0], numbers(0, 15)), blocks[0]);
  EXPECT_EQ(pool.match("", numbers(0, 20)).tokens(), 15);
}

TEST(BlockPool, ScopesShareNothing) {
  BlockPool pool(4);
  const auto text = numbers(0, 2 * kKvSlots);
  store(pool, "a", text);
  EXPECT_EQ(pool.match("b", text).tokens(), 0);
  EXPECT_EQ(pool.match("a", text).tokens(), 2 * kKvSlots);
}

TEST(BlockPool, ForgetsWhatWasUnusedLongestAndChildrenFirst) {
  BlockPool pool(4);
  const auto first = numbers(0, 2 * kKvSlots), second = numbers(1000, 2 * kKvSlots);
  const auto a = store(pool, "", first);
  release(pool, a);
  const auto b = store(pool, "", second);
  release(pool, b);
  EXPECT_EQ(pool.available(), 4);
  EXPECT_EQ(pool.remembered(), 4);

  EXPECT_EQ(pool.take(), a[1]);  // the older text loses its end
  EXPECT_EQ(pool.match("", first).tokens(), kKvSlots);
  EXPECT_EQ(pool.match("", second).tokens(), 2 * kKvSlots);
  EXPECT_EQ(pool.take(), a[0]);
  EXPECT_EQ(pool.take(), b[1]);
  EXPECT_EQ(pool.take(), b[0]);
  EXPECT_EQ(pool.take(), std::nullopt);
  EXPECT_EQ(pool.available(), 0);
}

TEST(BlockPool, NeverForgetsWhatIsHeld) {
  BlockPool pool(3);
  const auto text = numbers(0, 2 * kKvSlots);
  const auto blocks = store(pool, "", text);
  pool.release(blocks[1]);
  pool.hold(blocks[1]);
  EXPECT_TRUE(pool.take());
  EXPECT_FALSE(pool.take());
  EXPECT_EQ(pool.match("", text).blocks, blocks);
}

TEST(BlockPool, AFullBlockThatIsKnownAlreadyIsSharedInstead) {
  BlockPool pool(3);
  const auto text = numbers(0, kKvSlots);
  const auto known = store(pool, "", text);
  const int32_t twin = *pool.take();
  pool.remember("", -1, twin, std::span(text).first(3));
  EXPECT_EQ(pool.remember("", -1, twin, text), known[0]);
  EXPECT_EQ(pool.available(), 2);  // the twin is empty again
  pool.release(known[0]);
  EXPECT_EQ(pool.available(), 2);  // held by the other still
  pool.release(known[0]);
  EXPECT_EQ(pool.available(), 3);
}

TEST(BlockPool, ReleasedWithoutTokensABlockIsEmpty) {
  BlockPool pool(1);
  pool.release(*pool.take());
  EXPECT_EQ(pool.available(), 1);
  EXPECT_EQ(pool.remembered(), 0);
  EXPECT_THAT(pool.match("", numbers(0, 5)).blocks, IsEmpty());
}

}  // namespace
}  // namespace quern::engine
