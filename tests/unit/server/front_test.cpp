#include "server/front.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "server/api.h"
#include "support/temp_dir.h"
#include "unit/server/awaited_reply.h"
#include "unit/server/saying.h"

namespace quern::server {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

class FrontTest : public testing::Test {
 protected:
  FrontTest() {
    const ApiKey entry{.caller = {.name = "alice", .admin = true}, .hash = key_.hash};
    std::ofstream(dir_ / "keys.yaml") << write_api_keys({&entry, 1});
    FrontOptions options{.audit = {.file = dir_ / "audit.jsonl"}, .cache_bytes = 1 << 20};
    options.auth.emplace();
    options.auth->keys = ApiKeys::open(dir_ / "keys.yaml").value();
    front_ = Front::open(std::move(options)).value();
    ServedModel model = saying("model", "Hello!", 4);
    front_->metrics().measure(model);
    models_.add(std::move(model));
    models_.set_meter(front_->meter());
    add_metrics_route(router_, front_->metrics());
    handler_ = front_->before(router_);
  }

  std::shared_ptr<AwaitedReply> ask(const std::string& method, const std::string& path,
                                    const Json& body = nullptr, bool with_key = true) {
    const auto reply = std::make_shared<AwaitedReply>();
    HttpRequest request{.method = method, .path = path, .body = body.is_null() ? "" : body.dump()};
    if (with_key) request.headers["Authorization"] = "Bearer " + key_.key;
    handler_(std::move(request), reply);
    reply->wait();
    return reply;
  }
  // The entries, once the log is closed.
  std::vector<Json> entries() {
    handler_ = {};
    models_ = {};
    front_.reset();
    std::ifstream file(dir_ / "audit.jsonl");
    std::vector<Json> entries;
    for (std::string line; std::getline(file, line);) entries.push_back(Json::parse(line));
    return entries;
  }

  const quern::test::TempDir dir_;
  const NewApiKey key_ = make_api_key();
  std::unique_ptr<Front> front_;  // outlives the models
  ModelTable models_;
  Router router_ = api_routes(models_);
  HttpServer::Handler handler_;
  const Json hi_ = {{"messages", {{{"role", "user"}, {"content", "hi"}}}}, {"temperature", 0}};
};

TEST_F(FrontTest, CountsAndNotesDownWhateverTheAnswer) {
  EXPECT_EQ(ask("GET", "/health", nullptr, false)->status(), 200);
  EXPECT_EQ(ask("POST", "/v1/chat/completions", hi_, false)->status(), 401);
  Json streamed = hi_;
  streamed["stream"] = true;
  const auto reply = ask("POST", "/v1/chat/completions", streamed);
  EXPECT_EQ(reply->status(), 200);
  EXPECT_EQ(ask("POST", "/v1/completions", {{"prompt", 7}})->status(), 400);
  const std::string text = ask("GET", "/metrics")->body();
  EXPECT_THAT(text, HasSubstr("{route=\"/v1/chat/completions\",status=\"200\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{route=\"/v1/chat/completions\",status=\"401\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{route=\"/v1/completions\",status=\"400\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("quern_caller_tokens_total{caller=\"alice\"} 10\n"));

  const std::vector<Json> entries = this->entries();
  ASSERT_EQ(entries.size(), 4U) << "those for /health are none";
  EXPECT_TRUE(entries[0]["caller"].is_null());
  EXPECT_EQ(entries[0]["status"], 401);
  EXPECT_EQ(entries[1]["caller"], "alice");
  EXPECT_EQ(entries[1]["model"], "model");
  EXPECT_EQ(entries[1]["id"], reply->headers().at("x-request-id"));
  EXPECT_EQ(entries[1]["request"], streamed);
  EXPECT_EQ(entries[1]["answers"], Json::array({"Hello!"}));
  EXPECT_EQ(entries[1]["prompt_tokens"], 4);
  EXPECT_EQ(entries[1]["generated_tokens"], 6);
  EXPECT_EQ(entries[2]["status"], 400);
  EXPECT_EQ(entries[3]["path"], "/metrics");
}

TEST_F(FrontTest, GivesAnswersAgain) {
  const auto first = ask("POST", "/v1/chat/completions", hi_),
             again = ask("POST", "/v1/chat/completions", hi_);
  EXPECT_EQ(first->headers().at("x-quern-cache"), "miss");
  EXPECT_EQ(again->headers().at("x-quern-cache"), "hit");
  EXPECT_EQ(again->body(), first->body());
  EXPECT_NE(again->headers().at("x-request-id"), first->headers().at("x-request-id"));
  const std::string text = ask("GET", "/metrics")->body();
  EXPECT_THAT(text, HasSubstr("quern_response_cache_hits_total 1\n"));
  EXPECT_THAT(text, HasSubstr("quern_response_cache_misses_total 1\n"));
  EXPECT_THAT(text, HasSubstr("quern_caller_tokens_total{caller=\"alice\"} 10\n"));
}

TEST(Front, WithoutAnythingLetsAllPass) {
  const auto front = Front::open({}).value();
  EXPECT_FALSE(front->meter());
  EXPECT_FALSE(Front::open({.audit = {.file = "/nowhere/audit.jsonl"}}).ok());
}

}  // namespace
}  // namespace quern::server
