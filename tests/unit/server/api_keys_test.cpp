#include "server/api_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "support/temp_dir.h"

namespace quern::server {
namespace {

using testing::HasSubstr;

// SHA-256 of "salt" + "secret".
constexpr const char* kHash =
    "sha256:73616c74:bede90386d450cea8b77b822f8887065e4e5abf132c2f9dccfcc7fbd4cba5e35";

std::string message_of(const std::string& text) {
  const auto keys = parse_api_keys(text, "keys.yaml");
  return keys.ok() ? "" : keys.error().message;
}

TEST(ApiKeys, ReadsEntriesAsYamlOrJson) {
  const auto keys = parse_api_keys(
      std::string("keys:\n  - {name: a, hash: \"") + kHash + "\"}\n  - name: b\n    hash: " + kHash +
          "\n    requests_per_minute: 60\n    tokens_per_day: 1000\n    models: [m, n]\n"
          "    priority: -2\n    admin: true\n",
      "keys.yaml");
  ASSERT_TRUE(keys.ok()) << keys.error().message;
  ASSERT_EQ(keys->size(), 2u);
  const Caller& a = (*keys)[0].caller;
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.limits.requests_per_minute, 0);
  EXPECT_FALSE(a.admin);
  EXPECT_TRUE(a.may_use("anything"));
  const Caller& b = (*keys)[1].caller;
  EXPECT_EQ(b.limits.requests_per_minute, 60);
  EXPECT_EQ(b.limits.tokens_per_day, 1000);
  EXPECT_EQ(b.priority, -2);
  EXPECT_TRUE(b.admin);
  EXPECT_TRUE(b.may_use("n"));
  EXPECT_FALSE(b.may_use("o"));
  EXPECT_EQ(message_of(std::string(R"({"keys": [{"name": "a", "hash": ")") + kHash + "\"}]}"), "");
  EXPECT_EQ(message_of("keys: []"), "");
}

TEST(ApiKeys, SaysWhatIsWrong) {
  const std::string entry = std::string("keys:\n  - name: a\n    hash: ") + kHash + "\n";
  EXPECT_THAT(message_of("keys: {"), HasSubstr("keys.yaml"));
  for (const char* text : {"", "[]", "keys: 7", "keys: []\nmore: 1", "7"}) {
    EXPECT_THAT(message_of(text), HasSubstr("\"keys\"")) << text;
  }
  EXPECT_THAT(message_of("keys:\n  - name: a\n"), HasSubstr("hash"));
  EXPECT_THAT(message_of(entry + "    requests_per_hour: 7\n"), HasSubstr("requests_per_hour"));
  EXPECT_THAT(message_of(entry + "    tokens_per_day: -7\n"), HasSubstr("tokens_per_day"));
  EXPECT_THAT(message_of(entry + "  - name: a\n    hash: " + kHash + "\n"), HasSubstr("two keys of a"));
  for (const char* hash : {"secret", "sha256:00:00", "md5:00:11", "sha256:0:11", "sha256:zz:11"}) {
    EXPECT_THAT(message_of(std::string("keys:\n  - {name: a, hash: '") + hash + "'}"),
                HasSubstr("sha256:SALT:DIGEST"))
        << hash;
  }
}

TEST(ApiKeys, FindsTheOwnersOfKeysItMade) {
  const NewApiKey a = make_api_key("alice"), b = make_api_key("bob: \"the\" builder\n");
  EXPECT_NE(a.key, b.key);
  EXPECT_TRUE(a.key.starts_with("qk-"));
  EXPECT_EQ(a.entry.find(a.key), std::string::npos);
  const quern::test::TempDir dir;
  std::ofstream(dir / "keys.yaml") << "keys:\n" << a.entry << "\n" << b.entry << "\n";
  auto keys = ApiKeys::open(dir / "keys.yaml");
  ASSERT_TRUE(keys.ok()) << keys.error().message;
  EXPECT_EQ((*keys)->find(a.key)->name, "alice");
  EXPECT_EQ((*keys)->find(b.key)->name, "bob: \"the\" builder\n");
  for (const std::string& wrong :
       {std::string(), a.key + "x", a.key.substr(1), std::string("qk-"), std::string(5000, 'a')}) {
    EXPECT_EQ((*keys)->find(wrong), nullptr);
  }
  EXPECT_FALSE(ApiKeys::open(dir / "missing.yaml").ok());
}

TEST(ApiKeys, ReadsTheFileAgainWhenItChanges) {
  const quern::test::TempDir dir;
  const NewApiKey a = make_api_key("alice"), b = make_api_key("bob");
  std::ofstream(dir / "keys.yaml") << "keys:\n" << a.entry << "\n";
  const auto keys = ApiKeys::open(dir / "keys.yaml").value();
  ApiKeys::Clock::time_point now = ApiKeys::Clock::now();
  EXPECT_NE(keys->find(a.key, now), nullptr);
  std::ofstream(dir / "keys.yaml") << "keys:\n" << a.entry << "\n" << b.entry << "\n";
  EXPECT_EQ(keys->find(b.key, now), nullptr);  // it has just looked
  now += std::chrono::seconds(2);
  EXPECT_NE(keys->find(b.key, now), nullptr);
  std::ofstream(dir / "keys.yaml") << "keys: [broken";
  now += std::chrono::seconds(2);
  EXPECT_NE(keys->find(b.key, now), nullptr);
  std::ofstream(dir / "keys.yaml") << "keys:\n" << b.entry << "\n";
  now += std::chrono::seconds(2);
  EXPECT_EQ(keys->find(a.key, now), nullptr);
  EXPECT_NE(keys->find(b.key, now), nullptr);
}

}  // namespace
}  // namespace quern::server
