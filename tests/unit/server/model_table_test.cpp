// Models on demand, through the API.
#include "server/model_table.h"

#include <atomic>
#include <thread>

#include "server/serving_metrics.h"
#include "unit/server/api_fixture.h"

namespace quern::server {
namespace {

using test::Json;
using testing::HasSubstr;

class ModelTableTest : public test::ApiTest {
 protected:
  ModelTableTest() {
    models_ = ModelTable();
    for (const char* name : {"a", "b"}) {
      models_.add(ModelSource{.name = name, .bytes = 0, .open = [this, name]() -> Result<ServedModel> {
                                ++opened_;
                                if (broken_) return make_error(ErrorCode::corrupt, "the file is damaged");
                                ServedModel model = saying(name, std::string("I am ") + name, 4);
                                metrics_.measure(model);
                                return model;
                              }});
    }
    models_.set_limits({.count = 1});
  }
  ~ModelTableTest() override { models_ = ModelTable(); }  // before the metrics

  std::string says(const std::string& model) {
    Json body = hi_;
    body["model"] = model;
    return post("/v1/chat/completions", body)["choices"][0]["message"]["content"].get<std::string>();
  }
  Json status(const std::string& model) {
    return Json::parse(ask("GET", "/v1/models/" + model)->body())["status"];
  }
  void expect_becomes(const std::string& model, const std::string& value) {
    for (int i = 0; i < 2000 && status(model)["value"] != value; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(status(model)["value"], value);
  }

  ServingMetrics metrics_;
  std::atomic<int> opened_ = 0;
  std::atomic<bool> broken_ = false;
};

TEST_F(ModelTableTest, AnswersComeFromTheModelThatWasAskedFor) {
  EXPECT_EQ(status("a")["value"], "unloaded");
  EXPECT_EQ(says("a"), "I am a");
  EXPECT_EQ(status("a")["value"], "loaded");
  EXPECT_EQ(says("b"), "I am b");
  EXPECT_EQ(status("a")["value"], "unloaded");
  EXPECT_EQ(says("a"), "I am a");
  EXPECT_EQ(opened_, 3);
  EXPECT_THAT(metrics_.text(), HasSubstr("quern_requests_total{finish=\"stop\",model=\"a\"} 2\n"));
  EXPECT_THAT(metrics_.text(), HasSubstr("quern_generated_tokens_total{model=\"a\"}"));
  EXPECT_EQ(ask("GET", "/health")->status(), 200);
}

TEST_F(ModelTableTest, RequestsRaceForRoom) {
  std::vector<std::thread> clients;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t) {
    clients.emplace_back([&, t] {
      for (int i = 0; i < 4; ++i) {
        const std::string model = (t + i) % 2 == 0 ? "a" : "b";
        right += says(model) == "I am " + model ? 1 : 0;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 16);
}

TEST_F(ModelTableTest, ADamagedModelFailsItsOwnRequests) {
  broken_ = true;
  Json body = hi_;
  body["model"] = "a";
  EXPECT_THAT(ask("POST", "/v1/chat/completions", body)->body(), HasSubstr("damaged"));
  EXPECT_THAT(ask("POST", "/api/chat", body)->body(), HasSubstr("{\"error\":\"the file is damaged"));
  EXPECT_THAT(ask("POST", "/v1/models/load", body)->body(), HasSubstr("damaged"));
  EXPECT_EQ(status("a")["failed"], true);
  broken_ = false;
  EXPECT_EQ(says("a"), "I am a");
  EXPECT_FALSE(status("a").contains("failed"));
}

TEST_F(ModelTableTest, LoadsAndUnloads) {
  EXPECT_EQ(post("/models/load", {{"model", "a"}})["success"], true);
  EXPECT_EQ(status("a")["value"], "loaded");
  EXPECT_EQ(post("/v1/models/unload", {{"model", "a"}})["success"], true);
  expect_becomes("a", "unloaded");
  EXPECT_THAT(refusal("/v1/models/load", {{"model", "c"}}, 404), HasSubstr("there are: a, b"));
  EXPECT_THAT(refusal("/v1/models/load", Json::array()), HasSubstr("model must be"));
}

TEST_F(ModelTableTest, OllamaSaysHowLongAModelStays) {
  Json body = hi_;
  body["model"] = "a:latest";
  body["stream"] = false;
  body["keep_alive"] = "1h";
  post("/api/chat", body);
  const Json running = Json::parse(ask("GET", "/api/ps")->body())["models"];
  ASSERT_EQ(running.size(), 1u);
  EXPECT_EQ(running[0]["name"], "a");
  EXPECT_GT(running[0]["size"], 0);
  EXPECT_GT(status("a")["unloads_in"], 3000.0);
  EXPECT_EQ(Json::parse(ask("GET", "/api/tags")->body())["models"].size(), 2u);
  EXPECT_THAT(
      post("/api/generate", {{"model", "a"}, {"keep_alive", "soon"}}, 400)["error"].get<std::string>(),
      HasSubstr("'soon'"));
  EXPECT_EQ(post("/api/generate", {{"model", "a"}, {"keep_alive", 0}})["done_reason"], "unload");
  expect_becomes("a", "unloaded");
}

}  // namespace
}  // namespace quern::server
