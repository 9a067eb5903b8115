#include "store/hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "loopback_server.h"
#include "support/temp_dir.h"

namespace quern::store {
namespace {

using ::testing::HasSubstr;

// The form of the hub's answer to /api/models/ORG/REPO/revision/main?blobs=true, cut down.
constexpr const char* kListing =
    R"({"id": "org/repo", "sha": "12fd25f77366fa6b3b4b768ec3050bf629380bac", "private": false,
  "gated": false, "siblings": [
  {"rfilename": "config.json", "size": 861, "blobId": "8b1a"},
  {"rfilename": "model.safetensors", "size": 269060552, "blobId": "c7f0", "lfs": {"size": 269060552, "pointerSize": 134,
   "sha256": "5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c"}}]})";

class HubTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"HF_TOKEN", "HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE"}) ::unsetenv(name);
    ::setenv("HF_TOKEN_PATH", (folder_ / "token").c_str(), 1);
  }
  test::TempDir folder_;
};

TEST_F(HubTest, ReadsAListing) {
  const HubListing listing = parse_hub_listing(kListing, "hf:org/repo").value();
  EXPECT_EQ(listing.commit, "12fd25f77366fa6b3b4b768ec3050bf629380bac");
  ASSERT_EQ(listing.files.size(), 2u);
  EXPECT_EQ(listing.files[0].path, "config.json");
  EXPECT_EQ(listing.files[0].size, 861u);
  EXPECT_EQ(listing.files[0].sha256, "");
  EXPECT_EQ(listing.files[1].sha256, "5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c");
}

TEST_F(HubTest, RefusesHostileListings) {
  for (const char* text :
       {"", "[]", "{}", R"({"sha": "1"})", R"({"sha": "1", "siblings": [3]})",
        R"({"sha": "1", "siblings": [{"rfilename": "../x", "size": 1}]})",
        R"({"sha": "1", "siblings": [{"rfilename": "/etc/passwd", "size": 1}]})",
        R"({"sha": "1", "siblings": [{"rfilename": "x", "size": -1}]})",
        R"({"sha": "1", "siblings": [{"rfilename": "x", "size": 1, "lfs": {"sha256": "../"}}]})"}) {
    const Result<HubListing> listing = parse_hub_listing(text, "hf:org/repo");
    ASSERT_FALSE(listing.ok()) << text;
    EXPECT_EQ(listing.error().code, ErrorCode::corrupt) << text;
  }
}

TEST_F(HubTest, AsksForTheRevisionWithTheToken) {
  const LoopbackServer server([](const Call& call) { call.answer("200 OK", "", kListing); });
  ::setenv("HF_ENDPOINT", (server.url("") + "/mirror/").c_str(), 1);
  std::ofstream(folder_ / "token") << "hf_secret\n";
  HttpClient client;
  Hub hub(client, hub_settings().value());
  EXPECT_TRUE(hub.list("org/repo", "refs/pr/1").ok());
  EXPECT_EQ(server.calls().at(0).target, "/mirror/api/models/org/repo/revision/refs%2Fpr%2F1?blobs=true");
  EXPECT_EQ(server.calls().at(0).header("authorization"), "Bearer hf_secret");
  EXPECT_EQ(hub.file_request("org/repo", "12fd", "a b/m.gguf").url.path,
            "/mirror/org/repo/resolve/12fd/a%20b/m.gguf");
}

TEST_F(HubTest, ExplainsWhatItRefuses) {
  std::string status;
  const LoopbackServer server([&](const Call& call) {
    call.answer(status, "X-Error-Message: Access to model org/repo is restricted.\r\n", "");
  });
  ::setenv("HF_ENDPOINT", server.url("").c_str(), 1);
  HttpClient client;
  const auto refuse = [&](const std::string& line, const std::string& revision = {}) {
    status = line;
    return Hub(client, hub_settings().value()).list("org/repo", revision).error().to_string();
  };
  EXPECT_THAT(refuse("401 Unauthorized"), HasSubstr("private or gated one: check the spelling"));
  EXPECT_THAT(refuse("403 Forbidden"), HasSubstr("is restricted"));
  EXPECT_THAT(refuse("404 Not Found"), HasSubstr("check the spelling of 'org/repo'"));
  EXPECT_THAT(refuse("404 Not Found", "v9"), HasSubstr("revision 'v9'"));
  ::setenv("HF_TOKEN", "hf_secret", 1);
  EXPECT_THAT(refuse("403 Forbidden"), HasSubstr("gives no access"));
  EXPECT_THAT(refuse("403 Forbidden"), ::testing::Not(HasSubstr("hf_secret")));
}

TEST_F(HubTest, Offline) {
  ::setenv("HF_HUB_OFFLINE", "1", 1);
  EXPECT_EQ(hub_settings().error().code, ErrorCode::unavailable);
  ::setenv("HF_HUB_OFFLINE", "0", 1);
  EXPECT_EQ(hub_settings().value().endpoint.display(), "https://huggingface.co");
}

}  // namespace
}  // namespace quern::store
