#include "server/response_store.h"

#include <gtest/gtest.h>

namespace quern::server {
namespace {

TEST(ResponseStore, ForgetsWhatWasUnusedLongest) {
  ResponseStore store(3 * 1500);
  const auto put = [&](const char* id) {
    store.put(id, nullptr, {std::string(1000, 'r'), std::string(200, 'm')});
  };
  put("a");
  put("b");
  put("c");
  EXPECT_TRUE(store.find("a", nullptr));
  put("d");
  EXPECT_FALSE(store.find("b", nullptr));
  EXPECT_TRUE(store.find("a", nullptr));
  EXPECT_TRUE(store.find("d", nullptr));
  EXPECT_TRUE(store.remove("d", nullptr));
  EXPECT_FALSE(store.remove("d", nullptr));
  store.put("large", nullptr, {std::string(5000, 'x'), ""});
  EXPECT_FALSE(store.find("large", nullptr));
  EXPECT_TRUE(store.find("c", nullptr));
}

TEST(ResponseStore, BelongsToWhoAsked) {
  ResponseStore store;
  const Caller alice{.name = "alice"}, eve{.name = "eve"};
  store.put("a", &alice, {"r", "m"});
  EXPECT_FALSE(store.find("a", &eve));
  EXPECT_FALSE(store.find("a", nullptr));
  EXPECT_FALSE(store.remove("a", &eve));
  EXPECT_EQ(store.find("a", &alice)->messages, "m");
}

}  // namespace
}  // namespace quern::server
