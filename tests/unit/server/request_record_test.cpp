#include "server/request_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/exception.h"
#include "unit/server/awaited_reply.h"

namespace quern::server {
namespace {

using testing::IsEmpty;
using testing::StartsWith;

class RequestRecordTest : public testing::Test {
 protected:
  RequestRecordTest() { router_.add("POST", "/items/{id}", {}); }

  const RequestRecord& ask(const HttpServer::Handler& next, bool contents = true) {
    const auto handler = with_record(
        router_, contents, [this](const RequestRecord& record) { records_.push_back(record); }, next);
    handler({.method = "POST", .path = "/items/7", .body = "asked", .remote = "10.0.0.1"}, reply_);
    EXPECT_EQ(records_.size(), 1u);
    return records_.back();
  }

  Router router_;
  std::vector<RequestRecord> records_;
  std::shared_ptr<AwaitedReply> reply_ = std::make_shared<AwaitedReply>();
};

TEST_F(RequestRecordTest, TellsHowARequestWasAnswered) {
  const RequestRecord& record = ask([](const HttpRequest&, const std::shared_ptr<HttpReply>& reply) {
    reply->notes()->set_caller("alice");
    reply->notes()->set_model("m");
    reply->notes()->add_tokens(3, 4);
    reply->notes()->add_text(1, "wor");
    reply->notes()->add_text(1, "ld");
    reply->send({.status = 201});
  });
  EXPECT_EQ(record.status, 201);
  EXPECT_EQ(record.route, "/items/{id}");
  EXPECT_EQ(record.path, "/items/7");
  EXPECT_EQ(record.remote, "10.0.0.1");
  EXPECT_EQ(record.body, "asked");
  EXPECT_EQ(record.noted.caller, "alice");
  EXPECT_EQ(record.noted.model, "m");
  EXPECT_EQ(record.noted.prompt_tokens, 3);
  EXPECT_EQ(record.noted.generated_tokens, 4);
  EXPECT_THAT(record.noted.answers, testing::ElementsAre("", "world"));
  EXPECT_THAT(record.id, StartsWith("req-"));
  EXPECT_EQ(reply_->headers().at("x-request-id"), record.id);
}

TEST_F(RequestRecordTest, KeepsNoContentsUnlessAsked) {
  const RequestRecord& record = ask(
      [](const HttpRequest&, const std::shared_ptr<HttpReply>& reply) {
        reply->notes()->add_text(0, "secret");
        reply->begin(200, "text/plain", {});
        reply->write("secret");
        reply->end();
      },
      false);
  EXPECT_EQ(record.status, 200);
  EXPECT_EQ(record.body, "");
  EXPECT_THAT(record.noted.answers, IsEmpty());
  EXPECT_EQ(reply_->body(), "secret");
}

TEST_F(RequestRecordTest, TellsOfWhatWasThrown) {
  const auto refuse = [](const HttpRequest&, const std::shared_ptr<HttpReply>&) {
    throw Exception(make_error(ErrorCode::not_found, "no such item"));
  };
  EXPECT_EQ(ask(refuse).status, 404);
  EXPECT_EQ(reply_->status(), 404);
}

TEST_F(RequestRecordTest, TellsOfClientsThatLeave) {
  const auto leave = [this](const HttpRequest&, const std::shared_ptr<HttpReply>& reply) {
    reply->begin(200, "text/event-stream", {});
    reply_->close();
  };
  EXPECT_EQ(ask(leave).status, 499);
}

TEST_F(RequestRecordTest, TellsOfRequestsThatNobodyAnswered) {
  EXPECT_EQ(ask([](const HttpRequest&, const std::shared_ptr<HttpReply>&) {}).status, 500);
}

}  // namespace
}  // namespace quern::server
