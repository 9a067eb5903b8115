#include "base/lru_cache.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace quern {
namespace {

TEST(LruCache, ForgetsWhatWasUnusedLongest) {
  LruCache<std::string, int> cache(3);
  cache.put("a", 1);
  cache.put("b", 2);
  cache.put("c", 3);
  EXPECT_EQ(*cache.find("a"), 1);
  cache.put("d", 4);
  EXPECT_EQ(cache.find("b"), nullptr);
  EXPECT_NE(cache.find("a"), nullptr);
  EXPECT_EQ(cache.count(), 3u);
  EXPECT_TRUE(cache.erase("a"));
  EXPECT_FALSE(cache.erase("a"));
  EXPECT_EQ(cache.count(), 2u);
}

TEST(LruCache, CountsSizes) {
  LruCache<int, std::unique_ptr<int>> cache(10);
  cache.put(1, std::make_unique<int>(1), 6);
  cache.put(2, nullptr, 11);
  EXPECT_EQ(cache.find(2), nullptr) << "larger than everything";
  EXPECT_NE(cache.find(1), nullptr) << "and nobody went for it";
  cache.put(1, std::make_unique<int>(5), 4);
  EXPECT_EQ(**cache.find(1), 5);
  EXPECT_EQ(cache.size(), 4u);
  cache.put(3, nullptr, 6);
  EXPECT_EQ(cache.size(), 10u);
  cache.put(4, nullptr, 5);
  EXPECT_EQ(cache.find(1), nullptr);
  EXPECT_EQ(cache.find(3), nullptr);
  EXPECT_EQ(cache.size(), 5u);
}

}  // namespace
}  // namespace quern
