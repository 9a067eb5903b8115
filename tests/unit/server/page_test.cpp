#include "server/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_reply.h"

namespace quern::server::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class PageTest : public testing::Test {
 protected:
  PageTest() { add_page(router_); }
  HttpResponse ask(const std::string& path, HttpHeaders headers = {},
                   const std::string& method = "GET") const {
    const auto reply = std::make_shared<FakeReply>();
    router_.handle({.method = method, .path = path, .headers = std::move(headers)}, reply);
    return reply->response;
  }

  Router router_;
};

TEST_F(PageTest, EveryFileHasItsTypeAndMayNotBeTakenForAnother) {
  for (const std::string& path : page_paths()) {
    const HttpResponse response = ask(path);
    EXPECT_EQ(response.status, 200) << path;
    EXPECT_FALSE(response.body.empty()) << path;
    EXPECT_EQ(response.headers.at("X-Content-Type-Options"), "nosniff") << path;
    EXPECT_THAT(response.headers.at("Content-Security-Policy"), StartsWith("default-src 'self';")) << path;
  }
  EXPECT_EQ(ask("/").content_type, "text/html; charset=utf-8");
  EXPECT_EQ(ask("/page/js/app.js").content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(ask("/page/lib/marked.js").content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(ask("/page/style/base.css").content_type, "text/css; charset=utf-8");
  EXPECT_EQ(ask("/page/icon.svg").content_type, "image/svg+xml");
}

TEST_F(PageTest, NamesWhatItNeedsByPathsThatThereAre) {
  const std::string index = ask("/").body;
  size_t named = 0;
  for (size_t at = index.find("\"/page/"); at != std::string::npos;
       at = index.find("\"/page/", at + 1), ++named) {
    const std::string path = index.substr(at + 1, index.find_first_of("\"#", at + 1) - at - 1);
    EXPECT_TRUE(page_paths().contains(path)) << path;
  }
  EXPECT_GT(named, 3U);
  EXPECT_THAT(index, testing::Not(HasSubstr("http")));  // nothing from elsewhere
}

TEST_F(PageTest, ClientsThatHaveTheFileAreToldSo) {
  const std::string etag = ask("/").headers.at("ETag");
  EXPECT_THAT(etag, testing::MatchesRegex("\"[0-9a-f]{32}\""));
  EXPECT_NE(etag, ask("/page/js/app.js").headers.at("ETag"));
  for (const std::string& known : {etag, "W/" + etag, "\"other\", " + etag, std::string("*")}) {
    const HttpResponse response = ask("/", {{"If-None-Match", known}});
    EXPECT_EQ(response.status, 304) << known;
    EXPECT_EQ(response.body, "");
    EXPECT_EQ(response.headers.at("ETag"), etag);
  }
  EXPECT_EQ(ask("/", {{"If-None-Match", "\"other\""}}).status, 200);
}

TEST_F(PageTest, HasNothingElse) {
  for (const char* path : {"/page", "/page/", "/page/js", "/page/js/none.js", "/page/index.html",
                           "/index.html", "/page/../v1/models", "/page/js/%2e%2e/js/app.js"})
    EXPECT_EQ(ask(path).status, 404) << path;
  EXPECT_EQ(ask("/", {}, "POST").status, 405);
  EXPECT_EQ(ask("/", {}, "HEAD").status, 200);
}

}  // namespace
}  // namespace quern::server::test
