#include "server/auth.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "fake_reply.h"
#include "support/temp_dir.h"

namespace quern::server::test {
namespace {

class AuthTest : public testing::Test {
 protected:
  AuthTest() {
    const ApiKey alice{.caller = {.name = "alice", .limits = {.requests_per_minute = 2}}, .hash = key_.hash};
    std::ofstream(dir_ / "keys.yaml") << write_api_keys({&alice, 1});
  }
  AuthOptions options() {
    AuthOptions options;
    options.keys = ApiKeys::open(dir_ / "keys.yaml").value();
    return options;
  }
  HttpResponse ask(Auth& auth, HttpHeaders headers, const std::string& path = "/v1/models") {
    const auto handler = auth.guard([](const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
      reply->send({.body = request.caller ? request.caller->name : "nobody"});
    });
    const auto reply = std::make_shared<FakeReply>();
    handler({.method = "GET", .path = path, .headers = std::move(headers)}, reply);
    return reply->response;
  }

  const quern::test::TempDir dir_;
  const NewApiKey key_ = make_api_key();
};

TEST_F(AuthTest, WithoutKeysEverybodyMayAsk) {
  Auth auth({});
  EXPECT_EQ(ask(auth, {}).body, "nobody");
}

TEST_F(AuthTest, EveryPathButHealthNeedsAKey) {
  Auth auth(options());
  EXPECT_EQ(ask(auth, {}, "/health").body, "nobody");
  for (const char* path :
       {"/", "/v1/models", "/metrics", "/health/", "/Health", "/nowhere", "/%68ealth", "//health"}) {
    const HttpResponse refused = ask(auth, {}, path);
    EXPECT_EQ(refused.status, 401) << path;
    EXPECT_EQ(refused.headers.at("WWW-Authenticate"), "Bearer");
    EXPECT_THAT(refused.body, testing::HasSubstr("authentication_error"));
  }
}

TEST_F(AuthTest, OtherPathsMayBeOpenedByName) {
  AuthOptions opened = options();
  opened.open_paths.insert("/page/a.js");
  Auth auth(std::move(opened));
  EXPECT_EQ(ask(auth, {}, "/page/a.js").body, "nobody");
  EXPECT_EQ(ask(auth, {}, "/health").body, "nobody");
  for (const char* path :
       {"/page/", "/page/a.js/", "/page/b.js", "/page/a.js/../../v1/models", "/page%2Fa.js"})
    EXPECT_EQ(ask(auth, {}, path).status, 401) << path;
}

TEST_F(AuthTest, TakesTheKeyFromEitherHeader) {
  Auth auth(options());
  EXPECT_EQ(ask(auth, {{"Authorization", "bearer  " + key_.key}}).body, "alice");
  EXPECT_EQ(ask(auth, {{"X-API-Key", key_.key}}).body, "alice");
  const std::string& key = key_.key;
  for (const std::string& wrong :
       std::vector<std::string>{"Bearer", "Bearer ", "Basic " + key, key, fmt::format("Bearer {} ", key),
                                fmt::format("Bearer {0}, Bearer {0}", key)}) {
    EXPECT_EQ(ask(auth, {{"Authorization", wrong}}).status, 401) << wrong;
  }
}

TEST_F(AuthTest, LimitsWhatAKeyMayAsk) {
  Auth auth(options());
  const HttpHeaders headers = {{"x-api-key", key_.key}};
  EXPECT_EQ(ask(auth, headers).headers.at("x-ratelimit-remaining-requests"), "1");
  EXPECT_EQ(ask(auth, headers).status, 200);
  const HttpResponse refused = ask(auth, headers);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers.at("Retry-After"), "30");
  EXPECT_EQ(refused.headers.at("x-ratelimit-limit-requests"), "2");
}

// {"alg":"HS256"} {"sub":"alice","exp":4102444800}, and the same without "sub", signed with 32 times 'k'.
constexpr const char* kToken =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0."
    "q7Btv07YJ1apR9FzjMiVn2T34yzEL8cn04Ki8EdyZGA";
constexpr const char* kNameless =
    "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDB9.Dhqbh1NyAf5Y0B02JPOEFcbANly82elA02wcoXREohE";

TEST_F(AuthTest, TakesBearerTokens) {
  AuthOptions with_tokens = options();
  with_tokens.tokens =
      JwtVerifier::create({.algorithm = JwtOptions::Algorithm::hs256, .key = std::string(32, 'k')}).value();
  with_tokens.token_caller.limits.requests_per_minute = 1;
  Auth auth(std::move(with_tokens));
  const HttpHeaders headers = {{"Authorization", std::string("Bearer ") + kToken}};
  EXPECT_EQ(ask(auth, headers).body, "token:alice");
  EXPECT_EQ(ask(auth, headers).status, 429);
  EXPECT_EQ(ask(auth, {{"x-api-key", key_.key}}).body, "alice");
  EXPECT_EQ(ask(auth, {{"Authorization", std::string("Bearer ") + kNameless}}).status, 401);
  EXPECT_EQ(ask(auth, {{"Authorization", std::string("Bearer ") + kToken + "x"}}).status, 401);
  Auth keys_only(options());
  EXPECT_EQ(ask(keys_only, headers).status, 401);
}

}  // namespace
}  // namespace quern::server::test
