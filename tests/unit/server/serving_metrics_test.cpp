#include "server/serving_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/api.h"
#include "unit/server/awaited_reply.h"
#include "unit/server/saying.h"

namespace quern::server {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

class ServingMetricsTest : public testing::Test {
 protected:
  ServingMetricsTest() {
    ServedModel model = saying("model", "Hello!", 4);
    metrics_.measure(model);
    models_.add(std::move(model));
    models_.set_meter([this](const Caller& caller, int64_t tokens) { metrics_.add_tokens(caller, tokens); });
    add_metrics_route(router_, metrics_);
  }

  std::shared_ptr<AwaitedReply> ask(const std::string& method, const std::string& path,
                                    const std::string& body = {}) {
    const auto reply = std::make_shared<AwaitedReply>();
    handler_({.method = method, .path = path, .body = body, .caller = caller_}, reply);
    reply->wait();
    return reply;
  }
  void chat(const std::string& more = "") {
    ask("POST", "/v1/chat/completions",
        R"({"messages": [{"role": "user", "content": "hi"}], "temperature": 0)" + more + "}");
    models_.all()[0].model->engine->drain();  // its counters are those of its last pass
  }

  ServingMetrics metrics_;  // outlives the models
  ModelTable models_;
  Router router_ = api_routes(models_);
  std::shared_ptr<const Caller> caller_;
  HttpServer::Handler handler_ = with_record(
      router_, false, [this](const RequestRecord& record) { metrics_.add_request(record); },
      [this](HttpRequest request, const std::shared_ptr<HttpReply>& reply) {
        router_.handle(std::move(request), reply);
      });
};

TEST_F(ServingMetricsTest, CountsAnswers) {
  const std::string before = metrics_.text();
  EXPECT_THAT(before, HasSubstr("quern_requests_running{model=\"model\"} 0\n"));
  EXPECT_THAT(before, Not(HasSubstr("quern_kv_blocks{model=\"model\"} 0\n")));
  EXPECT_THAT(before, HasSubstr("quern_time_to_first_token_seconds_count{model=\"model\"} 0\n"));
  chat(", \"n\": 2, \"stream\": true");
  const std::string text = metrics_.text();
  for (const char* line : {
           "quern_requests_total{finish=\"stop\",model=\"model\"} 2\n",
           "quern_time_to_first_token_seconds_count{model=\"model\"} 2\n",
           "quern_inter_token_seconds_count{model=\"model\"} 10\n",
           "quern_request_seconds_count{model=\"model\"} 2\n",
           "quern_queue_seconds_count{model=\"model\"} 2\n",
           "quern_prompt_tokens_total{model=\"model\"} 8\n",
           "quern_generated_tokens_total{model=\"model\"} 12\n",
           "quern_preemptions_total{model=\"model\"} 0\n",
           "quern_requests_waiting{model=\"model\"} 0\n",
           "quern_http_requests_total{route=\"/v1/chat/completions\",status=\"200\"} 1\n",
       })
    EXPECT_THAT(text, HasSubstr(line));
  EXPECT_THAT(text, Not(HasSubstr("quern_caller_tokens_total")));
  EXPECT_THAT(text, HasSubstr("process_resident_memory_bytes "));
}

TEST_F(ServingMetricsTest, CountsWhatCallersUse) {
  caller_ = std::make_shared<Caller>(Caller{.name = "alice"});
  chat();
  EXPECT_THAT(metrics_.text(), HasSubstr("quern_caller_tokens_total{caller=\"alice\"} 10\n"));
}

// Paths are what clients make up; patterns are few.
TEST_F(ServingMetricsTest, CountsByRouteAndStatus) {
  ask("GET", "/nowhere/1");
  ask("GET", "/nowhere/2");
  ask("GET", "/v1/models/other");
  ask("DELETE", "/v1/models");
  ask("POST", "/v1/completions", "{");
  const std::string text = metrics_.text();
  EXPECT_THAT(text, HasSubstr("quern_http_requests_total{route=\"none\",status=\"404\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("{route=\"/v1/models/{model...}\",status=\"404\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{route=\"/v1/models\",status=\"405\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{route=\"/v1/completions\",status=\"400\"} 1\n"));
}

TEST_F(ServingMetricsTest, IsForAdministratorsWhereThereAreCallers) {
  EXPECT_THAT(ask("GET", "/metrics")->content_type(), HasSubstr("version=0.0.4"));
  caller_ = std::make_shared<Caller>(Caller{.name = "alice"});
  EXPECT_EQ(ask("GET", "/metrics")->status(), 403);
  caller_ = std::make_shared<Caller>(Caller{.name = "root", .admin = true});
  EXPECT_THAT(ask("GET", "/metrics")->body(), HasSubstr("# TYPE quern_request_seconds histogram"));
}

TEST_F(ServingMetricsTest, TellsTheTimeBetweenTokens) {
  Metrics metrics;
  ModelMetrics measured(metrics, "m");
  ModelMetrics::Moment last;
  const ModelMetrics::Clock::time_point start;
  engine::Update first{.tokens = {{}}};
  first.usage.first_seconds = 0.3;
  measured.observe(first, last, start);
  measured.observe({.tokens = {{}, {}}}, last, start + milliseconds(400));  // two at once, after 0.4 s
  measured.observe({.error = make_error(ErrorCode::internal, "broken")}, last, start + milliseconds(900));
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("quern_time_to_first_token_seconds_sum{model=\"m\"} 0.3\n"));
  EXPECT_THAT(text, HasSubstr("quern_inter_token_seconds_sum{model=\"m\"} 0.4\n"));
  EXPECT_THAT(text, HasSubstr("quern_inter_token_seconds_count{model=\"m\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("quern_requests_total{finish=\"error\",model=\"m\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("quern_request_seconds_count{model=\"m\"} 0\n"));
}

}  // namespace
}  // namespace quern::server
