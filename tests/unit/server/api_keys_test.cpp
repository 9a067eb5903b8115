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

std::string file_of(const std::vector<std::pair<std::string, NewApiKey>>& keys) {
  std::vector<ApiKey> entries;
  for (const auto& [name, made] : keys) entries.push_back({.caller = {.name = name}, .hash = made.hash});
  return write_api_keys(entries);
}

TEST(ApiKeys, FindsTheOwnersOfKeysItMade) {
  const NewApiKey a = make_api_key(), b = make_api_key();
  EXPECT_NE(a.key, b.key);
  EXPECT_TRUE(a.key.starts_with("qk-"));
  const quern::test::TempDir dir;
  const std::string bob = "bob: \"the\" builder\n", text = file_of({{"alice", a}, {bob, b}});
  EXPECT_EQ(text.find(a.key), std::string::npos);
  std::ofstream(dir / "keys.yaml") << text;
  auto keys = ApiKeys::open(dir / "keys.yaml");
  ASSERT_TRUE(keys.ok()) << keys.error().message;
  EXPECT_EQ((*keys)->find(a.key)->name, "alice");
  EXPECT_EQ((*keys)->find(b.key)->name, bob);
  for (const std::string& wrong :
       {std::string(), a.key + "x", a.key.substr(1), std::string("qk-"), std::string(5000, 'a')}) {
    EXPECT_EQ((*keys)->find(wrong), nullptr);
  }
  EXPECT_FALSE(ApiKeys::open(dir / "missing.yaml").ok());
}

TEST(ApiKeys, WritesWhatItReads) {
  const ApiKey all{.caller = {.name = "a",
                              .limits = {.requests_per_minute = 60, .tokens_per_day = 1000},
                              .models = {"m", "1e3", "a: b"},
                              .priority = -2,
                              .admin = true},
                   .hash = kHash};
  const ApiKey none{.caller = {.name = "yes"}, .hash = kHash};
  const std::string text = write_api_keys(std::vector{all, none});
  const auto keys = parse_api_keys(text, "keys.yaml").value();
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0].caller.models, all.caller.models);
  EXPECT_EQ(keys[0].caller.limits.tokens_per_day, 1000);
  EXPECT_EQ(keys[0].caller.priority, -2);
  EXPECT_TRUE(keys[0].caller.admin);
  EXPECT_EQ(keys[1].caller.name, "yes");
  EXPECT_EQ(write_api_keys(keys), text);
  EXPECT_TRUE(parse_api_keys(write_api_keys({}), "keys.yaml").value().empty());
}

TEST(ApiKeys, ReadsTheFileAgainWhenItChanges) {
  const quern::test::TempDir dir;
  const NewApiKey a = make_api_key(), b = make_api_key();
  std::ofstream(dir / "keys.yaml") << file_of({{"alice", a}});
  const auto keys = ApiKeys::open(dir / "keys.yaml").value();
  ApiKeys::Clock::time_point now = ApiKeys::Clock::now();
  EXPECT_NE(keys->find(a.key, now), nullptr);
  std::ofstream(dir / "keys.yaml") << file_of({{"alice", a}, {"bob", b}});
  EXPECT_EQ(keys->find(b.key, now), nullptr);  // it has just looked
  now += std::chrono::seconds(2);
  EXPECT_NE(keys->find(b.key, now), nullptr);
  std::ofstream(dir / "keys.yaml") << "keys: [broken";
  now += std::chrono::seconds(2);
  EXPECT_NE(keys->find(b.key, now), nullptr);
  std::ofstream(dir / "keys.yaml") << file_of({{"bob", b}});
  now += std::chrono::seconds(2);
  EXPECT_EQ(keys->find(a.key, now), nullptr);
  EXPECT_NE(keys->find(b.key, now), nullptr);
}

}  // namespace
}  // namespace quern::server
