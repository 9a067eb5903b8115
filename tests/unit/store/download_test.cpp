#include "store/download.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "loopback_server.h"
#include "store/sha256.h"
#include "support/temp_dir.h"
#include "unit/store/sha256_of.h"

namespace quern::store {
namespace {

using ::testing::HasSubstr;

using test::sha256_of;

// A server of one file that breaks off after `cut` bytes of an answer, as often as told.
struct Publisher {
  std::string content;
  std::string validators;  // header lines
  bool knows_ranges = true;
  bool heeds_if_range = true;
  int cuts = 0;
  size_t cut = 0;

  void operator()(const Call& call) {
    size_t first = 0;
    const std::string range = call.header("range");
    const std::string condition = call.header("if-range");
    const bool unchanged = condition.empty() || !heeds_if_range || HasHeader(condition);
    if (knows_ranges && !range.empty() && unchanged) first = std::stoul(range.substr(6));
    if (first > 0 && first >= content.size()) {
      call.answer("416 Range", fmt::format("Content-Range: bytes */{}\r\n", content.size()), "");
      return;
    }
    const std::string body = content.substr(first);
    const std::string status = first == 0 ? "200 OK"
                                          : fmt::format("206 Partial\r\nContent-Range: bytes {}-{}/{}", first,
                                                        content.size() - 1, content.size());
    call.send(fmt::format("HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n", status,
                          body.size(), validators));
    call.send(cuts-- > 0 ? std::string_view(body).substr(0, cut) : body);
  }
  bool HasHeader(const std::string& value) const {
    return validators.find(value + "\r\n") != std::string::npos;
  }
};

class DownloadTest : public ::testing::Test {
 protected:
  Result<Downloaded> pull(const LoopbackServer& server, const Expected& expected = {}, int attempts = 1) {
    HttpClient client({.attempts = attempts, .backoff_seconds = 0.001, .stall_seconds = 5, .ca_file = {}});
    return download(client, request_for(parse_url(server.url("/file")).value()), expected, path());
  }
  std::filesystem::path path() const { return folder_ / "file"; }
  bool part_exists() const { return std::filesystem::exists(folder_ / "file.part"); }
  std::string content() const { return read_file(path()).value(); }

  test::TempDir folder_;
  const std::string text_ = std::string(3000, 'a') + std::string(3000, 'b');
};

TEST_F(DownloadTest, WritesAndHashes) {
  const LoopbackServer server(Publisher{.content = text_, .validators = {}});
  const Downloaded done = pull(server).value();
  EXPECT_EQ(done.size, text_.size());
  EXPECT_EQ(done.sha256, sha256_of(text_));
  EXPECT_EQ(content(), text_);
  EXPECT_FALSE(part_exists());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "file.part.json"));
}

TEST_F(DownloadTest, EmptyFiles) {
  const LoopbackServer server(Publisher{.content = {}, .validators = {}});
  EXPECT_EQ(pull(server).value().size, 0u);
  EXPECT_EQ(content(), "");
}

TEST_F(DownloadTest, ResumesWithinOneCall) {
  const LoopbackServer server(
      Publisher{.content = text_, .validators = "ETag: \"v1\"\r\n", .cuts = 5, .cut = 700});
  // Progress between failures: two attempts in a row are enough for five cuts.
  ASSERT_TRUE(pull(server, {}, 2).ok());
  EXPECT_EQ(content(), text_);
  EXPECT_EQ(server.calls().at(1).header("range"), "bytes=700-");
  EXPECT_EQ(server.calls().at(1).header("if-range"), "\"v1\"");
  EXPECT_EQ(server.calls().size(), 6u);
}

TEST_F(DownloadTest, ResumesInALaterCall) {
  const LoopbackServer server(
      Publisher{.content = text_, .validators = "Last-Modified: Mon\r\n", .cuts = 1, .cut = 1000});
  EXPECT_EQ(pull(server).error().code, ErrorCode::unavailable);
  EXPECT_TRUE(part_exists());
  EXPECT_EQ(pull(server, {.size = text_.size(), .sha256 = sha256_of(text_)}).value().sha256,
            sha256_of(text_));
  EXPECT_EQ(content(), text_);
  EXPECT_EQ(server.calls().at(1).header("range"), "bytes=1000-");
}

TEST_F(DownloadTest, AChangedFileBeginsAnew) {
  Publisher publisher{.content = text_, .validators = "ETag: \"v1\"\r\n", .cuts = 1, .cut = 1000};
  for (const bool heeds : {true, false}) {
    publisher.heeds_if_range = heeds;
    bool changed = false;
    const std::string other(4000, 'c');
    const LoopbackServer server([&](const Call& call) {
      if (changed) {
        publisher.content = other;
        publisher.validators = "ETag: \"v2\"\r\n";
      }
      publisher(call);
    });
    EXPECT_FALSE(pull(server).ok());
    changed = true;
    ASSERT_TRUE(pull(server).ok()) << heeds;
    EXPECT_EQ(content(), other) << heeds;
    std::filesystem::remove(path());
    publisher = {.content = text_, .validators = "ETag: \"v1\"\r\n", .cuts = 1, .cut = 1000};
  }
}

TEST_F(DownloadTest, AnotherSizeIsAnotherFile) {
  Publisher publisher{.content = text_, .validators = "Last-Modified: Mon\r\n", .cuts = 1, .cut = 1000};
  const LoopbackServer server([&](const Call& call) { publisher(call); });
  EXPECT_FALSE(pull(server).ok());
  publisher.content = std::string(5000, 'd');
  ASSERT_TRUE(pull(server).ok());
  EXPECT_EQ(content(), publisher.content);
}

TEST_F(DownloadTest, ServersWithoutRanges) {
  const LoopbackServer server(Publisher{
      .content = text_, .validators = "ETag: \"v1\"\r\n", .knows_ranges = false, .cuts = 1, .cut = 1000});
  ASSERT_TRUE(pull(server, {}, 3).ok());
  EXPECT_EQ(content(), text_);
}

TEST_F(DownloadTest, WithoutValidatorsOnlyAChecksumAllowsToResume) {
  {
    const LoopbackServer server(Publisher{.content = text_, .validators = {}, .cuts = 1, .cut = 1000});
    ASSERT_TRUE(pull(server, {}, 2).ok());
    EXPECT_EQ(server.calls().at(1).header("range"), "");
  }
  std::filesystem::remove(path());
  const LoopbackServer server(Publisher{.content = text_, .validators = {}, .cuts = 1, .cut = 1000});
  ASSERT_TRUE(pull(server, {.size = {}, .sha256 = sha256_of(text_)}, 2).ok());
  EXPECT_EQ(server.calls().at(1).header("range"), "bytes=1000-");
}

TEST_F(DownloadTest, AWrongChecksumLeavesNothing) {
  const LoopbackServer server(Publisher{.content = text_, .validators = "ETag: \"v1\"\r\n"});
  const std::string expected = sha256_of("something else");
  const Result<Downloaded> done = pull(server, {.size = {}, .sha256 = expected}, 3);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, ErrorCode::corrupt);
  EXPECT_THAT(done.error().message, HasSubstr(expected));
  EXPECT_THAT(done.error().message, HasSubstr(sha256_of(text_)));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(DownloadTest, AWrongSizeLeavesNothing) {
  const LoopbackServer server(Publisher{.content = text_, .validators = {}});
  const Result<Downloaded> done = pull(server, {.size = 7, .sha256 = {}});
  ASSERT_FALSE(done.ok());
  EXPECT_THAT(done.error().message, HasSubstr("expected 7 bytes, the server announces 6000"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(DownloadTest, AnEndlessBodyStopsAtTheExpectedSize) {
  const LoopbackServer server([](const Call& call) {
    call.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    while (call.send(std::string(10000, 'x'))) {
    }
  });
  const Result<Downloaded> done = pull(server, {.size = 100000, .sha256 = {}});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, ErrorCode::corrupt);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(DownloadTest, ABodyWithoutLengthThatEndsEarlyIsNotWhole) {
  int calls = 0;
  const LoopbackServer server([&](const Call& call) {
    call.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    call.send(++calls == 1 ? text_.substr(0, 100) : text_);
  });
  ASSERT_TRUE(pull(server, {.size = text_.size(), .sha256 = {}}, 2).ok());
  EXPECT_EQ(content(), text_);
}

TEST_F(DownloadTest, AWholePartIsNotFetchedAgain) {
  const LoopbackServer server(Publisher{.content = text_, .validators = {}});
  ASSERT_TRUE(pull(server).ok());
  // As if killed just before the file got its name.
  std::filesystem::rename(path(), folder_ / "file.part");
  std::ofstream(folder_ / "file.part.json") << R"({"etag": "", "last_modified": "", "size": 6000})";
  ASSERT_TRUE(pull(server, {.size = text_.size(), .sha256 = sha256_of(text_)}).ok());
  EXPECT_EQ(content(), text_);
  // And a whole file is taken as it is.
  ASSERT_TRUE(pull(server, {.size = text_.size(), .sha256 = sha256_of(text_)}).ok());
  EXPECT_EQ(server.calls().size(), 1u);
}

TEST_F(DownloadTest, APartLongerThanTheFile) {
  std::ofstream(folder_ / "file.part") << std::string(9000, 'x');
  std::ofstream(folder_ / "file.part.json") << R"({"etag": "\"v1\"", "last_modified": "", "size": 0})";
  const LoopbackServer server(Publisher{.content = text_, .validators = "ETag: \"v1\"\r\n"});
  ASSERT_TRUE(pull(server).ok());
  EXPECT_EQ(content(), text_);
}

TEST_F(DownloadTest, APartOfUnknownOriginIsForgotten) {
  std::ofstream(folder_ / "file.part") << "who knows";
  for (const char* note : {"", "{", "[]", R"({"etag": 3})"}) {
    std::ofstream(folder_ / "file.part.json") << note;
    const LoopbackServer server(Publisher{.content = text_, .validators = {}});
    ASSERT_TRUE(pull(server).ok());
    EXPECT_EQ(content(), text_);
    EXPECT_EQ(server.calls().at(0).header("range"), "");
  }
}

TEST_F(DownloadTest, LiesAboutTheRange) {
  Publisher publisher{.content = text_, .validators = "ETag: \"v1\"\r\n", .cuts = 1, .cut = 1000};
  const LoopbackServer server([&](const Call& call) {
    if (call.header("range").empty()) return publisher(call);
    call.answer("206 Partial", "ETag: \"v1\"\r\nContent-Range: bytes 0-5999/6000\r\n", text_);
  });
  EXPECT_FALSE(pull(server).ok());
  ASSERT_TRUE(pull(server).ok());
  EXPECT_EQ(content(), text_);
}

}  // namespace
}  // namespace quern::store
