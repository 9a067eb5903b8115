#include "store/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "base/interrupt.h"
#include "loopback_server.h"

namespace quern::store {
namespace {

using ::testing::HasSubstr;

HttpClient quick_client() { return HttpClient({.attempts = 3, .backoff_seconds = 0.001, .ca_file = {}}); }

Result<Response> get(const std::string& url, uint64_t limit = 1000) {
  HttpClient client = quick_client();
  return client.get(request_for(parse_url(url).value()), limit);
}

TEST(Http, GetsContentAndHeaders) {
  const LoopbackServer server([](const Call& call) { call.answer("200 OK", "X-Thing:  a b \r\n", "hello"); });
  const Response response = get(server.url("/x?y=1")).value();
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(response.head.header("x-thing"), "a b");
  EXPECT_EQ(server.calls().at(0).target, "/x?y=1");
  EXPECT_THAT(server.calls().at(0).header("user-agent"), HasSubstr("quern/"));
}

TEST(Http, RefusesMoreThanTheLimit) {
  const LoopbackServer server([](const Call& call) {
    call.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    while (call.send(std::string(4096, 'x'))) {
    }
  });
  const Result<Response> response = get(server.url("/endless"));
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, ErrorCode::corrupt);
}

TEST(Http, TriesAgainWhatMayPass) {
  int calls = 0;
  const LoopbackServer server([&](const Call& call) {
    switch (++calls) {
      case 1:
        call.answer("429 Too Many Requests", "Retry-After: 0\r\n", "slow down");
        break;
      case 2:
        call.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        break;
      default:
        call.answer("200 OK", "", "whole");
    }
  });
  EXPECT_EQ(get(server.url("/x")).value().body, "whole");
}

TEST(Http, GivesUpAndSaysAfterHowManyAttempts) {
  const LoopbackServer server(
      [](const Call& call) { call.answer("503 Busy", "", "{\"error\": \"resting\"}"); });
  const Result<Response> response = get(server.url("/x"));
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, ErrorCode::unavailable);
  EXPECT_THAT(response.error().message, HasSubstr("after 3 attempts"));
  EXPECT_THAT(response.error().message, HasSubstr("503: resting"));
  EXPECT_EQ(server.calls().size(), 3u);
}

TEST(Http, AWaitThatIsTooLongIsAnError) {
  const LoopbackServer server([](const Call& call) { call.answer("429 No", "Retry-After: 3600\r\n", ""); });
  const Result<Response> response = get(server.url("/x"));
  ASSERT_FALSE(response.ok());
  EXPECT_THAT(response.error().hint, HasSubstr("1h"));
  EXPECT_EQ(server.calls().size(), 1u);
}

TEST(Http, StatusesAreErrorsOfTheirClass) {
  std::string status;
  const LoopbackServer server(
      [&](const Call& call) { call.answer(status, "", "{\"error\": \"no\\nway\"}"); });
  for (const auto& [line, code] : {std::pair{"401 U", ErrorCode::permission},
                                   {"403 F", ErrorCode::permission},
                                   {"404 N", ErrorCode::not_found},
                                   {"418 T", ErrorCode::invalid_argument}}) {
    status = line;
    const Result<Response> response = get(server.url("/x"));
    ASSERT_FALSE(response.ok());
    EXPECT_EQ(response.error().code, code) << line;
    EXPECT_THAT(response.error().message, HasSubstr("no way"));
  }
  EXPECT_EQ(server.calls().size(), 4u) << "no second attempt";
}

TEST(Http, CredentialsStayAtTheirOrigin) {
  const LoopbackServer other([](const Call& call) { call.answer("200 OK", "", "content"); });
  const LoopbackServer server([&](const Call& call) {
    if (call.target == "/here")
      call.answer("302 Found", "Location: /there\r\n", "");
    else
      call.answer("307 T", "Location: " + other.url("/cdn") + "\r\n", "");
  });
  HttpClient client = quick_client();
  Request request = request_for(parse_url(server.url("/here")).value());
  request.credentials.bearer = "secret";
  EXPECT_EQ(client.get(request, 100).value().body, "content");
  EXPECT_EQ(server.calls().at(0).header("authorization"), "Bearer secret");
  EXPECT_EQ(server.calls().at(1).target, "/there");
  EXPECT_EQ(server.calls().at(1).header("authorization"), "Bearer secret");
  EXPECT_EQ(other.calls().at(0).header("authorization"), "");
}

TEST(Http, UserAndPasswordOfTheAddressAreNotShown) {
  const LoopbackServer server([](const Call& call) { call.answer("403 F", "", ""); });
  std::string url = server.url("/x?signature=abc");
  url.insert(7, "me:hidden@");
  const Result<Response> response = get(url);
  EXPECT_EQ(server.calls().at(0).header("authorization"), "Basic bWU6aGlkZGVu");
  EXPECT_THAT(response.error().to_string(), ::testing::Not(HasSubstr("hidden")));
  EXPECT_THAT(response.error().to_string(), ::testing::Not(HasSubstr("abc")));
}

TEST(Http, RefusesBareHttpBeyondThisMachine) {
  const Result<Response> direct = get("http://192.0.2.1/x");
  ASSERT_FALSE(direct.ok());
  EXPECT_EQ(direct.error().code, ErrorCode::permission);
  const LoopbackServer server(
      [](const Call& call) { call.answer("302 Found", "Location: http://192.0.2.1/x\r\n", ""); });
  EXPECT_EQ(get(server.url("/x")).error().code, ErrorCode::permission);
}

TEST(Http, RedirectsEnd) {
  const LoopbackServer server([](const Call& call) { call.answer("302 Found", "Location: /x\r\n", ""); });
  EXPECT_THAT(get(server.url("/x")).error().message, HasSubstr("redirects"));
}

TEST(Http, RefusesRedirectsToFiles) {
  const LoopbackServer server(
      [](const Call& call) { call.answer("302 Found", "Location: file:///etc/passwd\r\n", ""); });
  EXPECT_FALSE(get(server.url("/x")).ok());
}

TEST(Http, ManyHeadersAreRefused) {
  const LoopbackServer server([](const Call& call) {
    call.send("HTTP/1.1 200 OK\r\n");
    while (call.send("X: " + std::string(1000, 'y') + "\r\n")) {
    }
  });
  EXPECT_THAT(get(server.url("/x")).error().message, HasSubstr("headers"));
}

TEST(Http, StopsOnCtrlC) {
  const LoopbackServer server([](const Call& call) {
    call.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
    ::raise(SIGINT);
    call.send("more");
  });
  const InterruptGuard guard;
  EXPECT_EQ(get(server.url("/x")).error().code, ErrorCode::cancelled);
}

TEST(Http, NobodyListens) {
  std::string url;
  {
    const LoopbackServer server([](const Call&) {});
    url = server.url("/x");
  }
  const Result<Response> response = get(url);
  EXPECT_EQ(response.error().code, ErrorCode::unavailable);
  EXPECT_THAT(response.error().hint, HasSubstr("https_proxy"));
}

}  // namespace
}  // namespace quern::store
