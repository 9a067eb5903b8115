#include "server/cors.h"

#include <gtest/gtest.h>

#include "fake_reply.h"

namespace quern::server::test {
namespace {

HttpResponse ask(const CorsOptions& options, const std::string& method, HttpHeaders headers) {
  const auto reply = std::make_shared<FakeReply>();
  const auto handler = with_cors(options, [](const HttpRequest&, const std::shared_ptr<HttpReply>& given) {
    given->begin(200, "text/plain");
    given->write("handled");
    given->end();
  });
  handler({.method = method, .path = "/", .headers = std::move(headers)}, reply);
  EXPECT_TRUE(reply->ended);
  return reply->response;
}

TEST(Cors, LetsThePagesOfTheServerPassAndRefusesOthers) {
  EXPECT_EQ(ask({}, "POST", {{"Host", "localhost:8080"}}).body, "handled");
  const HttpResponse own = ask({}, "POST", {{"Host", "localhost:8080"}, {"Origin", "http://localhost:8080"}});
  EXPECT_EQ(own.body, "handled");
  EXPECT_FALSE(own.headers.contains("Access-Control-Allow-Origin"));
  for (const char* origin :
       {"http://evil.example", "http://localhost:9090", "null", "http://localhost:8080.evil.example"}) {
    EXPECT_EQ(ask({}, "POST", {{"Host", "localhost:8080"}, {"Origin", origin}}).status, 403) << origin;
  }
}

TEST(Cors, AnswersPreflightsOfAllowedOrigins) {
  const CorsOptions options{.origins = {"https://app.example"}};
  const HttpHeaders preflight = {{"Host", "api.example"},
                                 {"Origin", "https://app.example"},
                                 {"Access-Control-Request-Method", "POST"},
                                 {"Access-Control-Request-Headers", "authorization"}};
  const HttpResponse answer = ask(options, "OPTIONS", preflight);
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.headers.at("Access-Control-Allow-Origin"), "https://app.example");
  EXPECT_EQ(answer.headers.at("Access-Control-Allow-Methods"), "POST");
  EXPECT_EQ(answer.headers.at("Access-Control-Allow-Headers"), "authorization");
  EXPECT_EQ(answer.headers.at("Vary"), "Origin");
  const HttpResponse handled =
      ask(options, "POST", {{"Host", "api.example"}, {"Origin", "https://app.example"}});
  EXPECT_EQ(handled.body, "handled");
  EXPECT_EQ(handled.headers.at("Access-Control-Allow-Origin"), "https://app.example");
  EXPECT_EQ(ask({}, "OPTIONS", preflight).status, 403);
  EXPECT_EQ(ask({.origins = {"*"}}, "OPTIONS", preflight).status, 204);
}

TEST(Cors, RefusesForeignNamesOfThisMachine) {
  const CorsOptions options{.hosts = {"quern.lan"}};
  for (const char* host : {"localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "quern.lan:80"}) {
    EXPECT_EQ(ask(options, "GET", {{"Host", host}}).status, 200) << host;
  }
  for (const char* host :
       {"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example"}) {
    EXPECT_EQ(ask(options, "GET", {{"Host", host}, {"Origin", std::string("http://") + host}}).status, 403)
        << host;
  }
}

}  // namespace
}  // namespace quern::server::test
