#include "server/sse.h"

#include <gtest/gtest.h>

#include "fake_reply.h"

namespace quern::server::test {
namespace {

TEST(Sse, WritesEventsAsBrowsersReadThem) {
  const auto reply = std::make_shared<FakeReply>();
  SseStream stream(reply, std::chrono::seconds(3), {{"X-Request-Id", "7"}});
  EXPECT_EQ(reply->response.content_type, "text/event-stream; charset=utf-8");
  EXPECT_EQ(reply->response.headers.at("Cache-Control"), "no-cache");
  EXPECT_EQ(reply->response.headers.at("X-Request-Id"), "7");
  EXPECT_EQ(reply->silence, std::chrono::seconds(3));
  stream.event(R"({"a":1})");
  stream.event("one\ntwo\r\nthree\rfour\n", "lines");
  stream.comment("still here");
  EXPECT_FALSE(reply->ended);
  stream.done();
  EXPECT_TRUE(reply->ended);
  EXPECT_EQ(reply->response.body,
            "data: {\"a\":1}\n\n"
            "event: lines\ndata: one\ndata: two\ndata: three\ndata: four\ndata: \n\n"
            ": still here\n\n"
            "data: [DONE]\n\n");
}

}  // namespace
}  // namespace quern::server::test
