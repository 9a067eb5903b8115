#include "server/response_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/caller.h"
#include "unit/server/awaited_reply.h"

namespace quern::server {
namespace {

HttpRequest chat(const std::string& body, const std::string& path = "/v1/chat/completions") {
  return {.method = "POST", .path = path, .body = body};
}

TEST(ResponseCacheKey, IsOneForOneQuestion) {
  const auto key = response_cache_key(chat(R"({"temperature": 0, "messages": [{"role": "user"}]})"));
  ASSERT_TRUE(key);
  EXPECT_EQ(response_cache_key(chat(R"({ "messages":[{"role":"user"}], "temperature":0 })")), key);
  for (const char* other : {R"({"temperature": 0, "messages": []})",
                            R"({"temperature": 0, "messages": [{"role": "user"}], "model": "m"})",
                            R"({"temperature": 0, "messages": [{"role": "user"}], "stream": true})"})
    EXPECT_NE(response_cache_key(chat(other)), key) << other;
  EXPECT_NE(
      response_cache_key(chat(R"({"temperature": 0, "messages": [{"role": "user"}]})", "/v1/completions")),
      key);
  HttpRequest alice = chat(R"({"temperature": 0, "messages": [{"role": "user"}]})");
  alice.caller = std::make_shared<Caller>(Caller{.name = "alice"});
  EXPECT_NE(response_cache_key(alice), key);
}

TEST(ResponseCacheKey, IsForWhatIsAnsweredAlikeAgain) {
  for (const char* body : {R"({"temperature": 0})", R"({"temperature": 0.0, "n": 2})", R"({"seed": 7})",
                           R"({"seed": 0, "temperature": 1})"})
    EXPECT_TRUE(response_cache_key(chat(body))) << body;
  for (const char* body : {"{}", R"({"temperature": 0.1})", R"({"seed": null})", R"({"temperature": "0"})",
                           "[]", "{\"temperature\": 0", ""})
    EXPECT_FALSE(response_cache_key(chat(body))) << body;
  EXPECT_TRUE(response_cache_key(chat(R"({"input": "x"})", "/v1/embeddings")));
  EXPECT_FALSE(response_cache_key(chat(R"({"temperature": 0})", "/v1/files")));
  HttpRequest get = chat(R"({"seed": 7})");
  get.method = "GET";
  EXPECT_FALSE(response_cache_key(get));
}

TEST(ResponseCache, ForgetsWhatWasAskedForLongestAgo) {
  ResponseCache cache(4000);
  const auto answer = [](char c) {
    return CachedAnswer{
        .response = {.body = std::string(200, c)}};  // with all that belongs to it a tenth or so
  };
  cache.add("a", answer('a'), 0);
  const int64_t each = cache.stats().bytes;
  const int64_t fit = 4000 / each;
  for (int64_t i = 1; i < fit; ++i) cache.add(std::string(1, static_cast<char>('a' + i)), answer('x'), 0);
  EXPECT_EQ(cache.stats().answers, fit);
  EXPECT_EQ(cache.find("a")->response.body[0], 'a');
  cache.add("z", answer('z'), 0);
  EXPECT_EQ(cache.stats().answers, fit);
  EXPECT_LE(cache.stats().bytes, 4000);
  EXPECT_NE(cache.find("a"), nullptr);
  EXPECT_EQ(cache.find("b"), nullptr);
  EXPECT_NE(cache.find("z"), nullptr);
  cache.add("large", {.response = {.body = std::string(1000, 'x')}}, 0);
  EXPECT_EQ(cache.find("large"), nullptr);
  EXPECT_EQ(cache.stats().hits, 3);
  EXPECT_EQ(cache.stats().misses, 2);
}

// An answer that was on its way when models changed is not the one they would give now.
TEST(ResponseCache, ForgetsWhatModelsSaidBeforeTheyChanged) {
  ResponseCache cache(4000);
  const uint64_t before = cache.epoch();
  cache.add("a", {.response = {.body = "old"}}, before);
  cache.forget();
  cache.add("a", {.response = {.body = "late"}}, before);
  EXPECT_EQ(cache.find("a"), nullptr);
  EXPECT_EQ(cache.stats().bytes, 0);
  cache.add("a", {.response = {.body = "new"}}, cache.epoch());
  EXPECT_EQ(cache.find("a")->response.body, "new");
}

class WithResponseCache : public testing::Test {
 protected:
  std::shared_ptr<AwaitedReply> ask(HttpRequest request) {
    auto reply = std::make_shared<AwaitedReply>();
    handler_(std::move(request), reply);
    reply->wait();
    return reply;
  }
  static std::string said(const std::shared_ptr<AwaitedReply>& reply) {
    return reply->headers().at("x-quern-cache");
  }

  ResponseCache cache_{1 << 20};
  int asked_ = 0, status_ = 200;
  bool stream_ = false, failing_ = false;
  HttpServer::Handler handler_ = with_response_cache(
      cache_, [this](const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
        ++asked_;
        if (!stream_) return reply->send({.status = status_, .body = "answer to " + request.body});
        reply->begin(status_, "text/event-stream", {{"x-more", "1"}});
        reply->write("one ");
        reply->write(failing_ ? "\n\ndata: {\"error\":{}}\n\n" : "two");
        reply->end();
      });
};

TEST_F(WithResponseCache, AnswersOnceAndThenAgain) {
  const auto first = ask(chat(R"({"seed": 1})")), again = ask(chat(R"({"seed":1})"));
  EXPECT_EQ(asked_, 1);
  EXPECT_EQ(said(first), "miss");
  EXPECT_EQ(said(again), "hit");
  EXPECT_EQ(again->body(), first->body());
  EXPECT_EQ(ask(chat("{}"))->headers().count("x-quern-cache"), 0U);
  EXPECT_EQ(asked_, 2);
}

TEST_F(WithResponseCache, ReplaysStreams) {
  stream_ = true;
  ask(chat(R"({"seed": 1, "stream": true})"));
  const auto again = ask(chat(R"({"seed": 1, "stream": true})"));
  EXPECT_EQ(asked_, 1);
  EXPECT_EQ(said(again), "hit");
  EXPECT_EQ(again->body(), "one two");
  EXPECT_EQ(again->content_type(), "text/event-stream");
  EXPECT_EQ(again->headers().at("x-more"), "1");
}

TEST_F(WithResponseCache, KeepsNoFailures) {
  status_ = 503;
  ask(chat(R"({"seed": 1})"));
  stream_ = true;
  ask(chat(R"({"seed": 1})"));
  EXPECT_EQ(asked_, 2);
  status_ = 200;
  failing_ = true;
  ask(chat(R"({"seed": 1})"));
  ask(chat(R"({"seed": 1})"));
  EXPECT_EQ(asked_, 4);
}

}  // namespace
}  // namespace quern::server
