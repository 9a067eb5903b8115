#include "server/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/exception.h"
#include "fake_reply.h"

namespace quern::server::test {
namespace {

class RouterTest : public testing::Test {
 protected:
  void add(const std::string& method, const std::string& pattern) {
    router_.add(
        method, pattern,
        [=](const HttpRequest&, const PathParameters& parameters, const std::shared_ptr<HttpReply>& reply) {
          std::string text = method + " " + pattern;
          for (const auto& [name, value] : parameters)
            text.append(" ").append(name).append("=").append(value);
          reply->send({.body = text});
        });
  }
  HttpResponse ask(const std::string& method, const std::string& path) const {
    const auto reply = std::make_shared<FakeReply>();
    router_.handle({.method = method, .path = path}, reply);
    EXPECT_TRUE(reply->ended) << path;
    return reply->response;
  }
  std::string body(const std::string& path) const { return ask("GET", path).body; }

  Router router_;
};

TEST_F(RouterTest, FindsTheMostLiteralRoute) {
  add("GET", "/v1/models/{model...}");
  add("GET", "/v1/files/{id}");
  add("GET", "/v1/files/{id}/content");
  add("GET", "/v1/files/all");
  add("GET", "/v1/models");
  add("GET", "/");
  EXPECT_EQ(body("/"), "GET /");
  EXPECT_EQ(body("/v1/models"), "GET /v1/models");
  EXPECT_EQ(body("/v1/models/org/name"), "GET /v1/models/{model...} model=org/name");
  EXPECT_EQ(body("/v1/models/org%2Fname"), "GET /v1/models/{model...} model=org/name");
  EXPECT_EQ(body("/v1/files/all"), "GET /v1/files/all");
  EXPECT_EQ(body("/v1/files/a%20b"), "GET /v1/files/{id} id=a b");
  EXPECT_EQ(body("/v1/files/all/content"), "GET /v1/files/{id}/content id=all");
  EXPECT_EQ(body("/v1/file%73/7"), "GET /v1/files/{id} id=7");
  for (const char* path : {"/v1", "/v1/", "/v1/files/", "/v1/files/a/b", "/v1/models/",
                           "/v1/files/a/content/x", "//", "*", "/v1/files/%", ""}) {
    EXPECT_EQ(ask("GET", path).status, 404) << path;
  }
  EXPECT_EQ(router_.pattern_of("/v1/files/7"), "/v1/files/{id}");
  EXPECT_EQ(router_.pattern_of("/nowhere"), "");
}

TEST_F(RouterTest, SaysWhatIsThere) {
  add("GET", "/v1/files");
  add("POST", "/v1/files");
  add("POST", "/v1/completions");
  const HttpResponse missing = ask("GET", "/v1/completion");
  EXPECT_EQ(missing.status, 404);
  EXPECT_THAT(missing.body, testing::HasSubstr("did you mean '/v1/completions'?"));
  EXPECT_LT(ask("GET", "/" + std::string(30'000, 'x')).body.size(), 400u);
  const HttpResponse wrong = ask("DELETE", "/v1/files");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers.at("Allow"), "GET, POST, HEAD, OPTIONS");
  EXPECT_THAT(wrong.body, testing::HasSubstr("invalid_request_error"));
  const HttpResponse options = ask("OPTIONS", "/v1/completions");
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.headers.at("Allow"), "POST, OPTIONS");
  EXPECT_EQ(ask("HEAD", "/v1/files").body, "GET /v1/files");
  EXPECT_EQ(ask("HEAD", "/v1/completions").status, 405);
}

TEST_F(RouterTest, RefusesRoutesThatCannotBe) {
  add("GET", "/a");
  EXPECT_THROW(add("GET", "/a"), InternalError);
  EXPECT_THROW(add("GET", "a"), InternalError);
  EXPECT_THROW(add("GET", "/{rest...}/b"), InternalError);
}

}  // namespace
}  // namespace quern::server::test
