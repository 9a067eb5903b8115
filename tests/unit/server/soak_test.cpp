// A small form of bench/scenarios/serving_soak.py: a whole server, asked by many clients of which some leave, some talk
// nonsense and some come when it is full.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/rng.h"
#include "server/api.h"
#include "server/front.h"
#include "unit/server/http_client.h"
#include "unit/server/running_server.h"
#include "unit/server/saying.h"

namespace quern::server::test {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kAnswer = "A rather long answer, so that there is a middle of it to leave in.";
constexpr int kThreads = 12, kRequestsEach = 40;

class SoakTest : public testing::Test {
 protected:
  SoakTest() {
    engine::EngineOptions options;
    options.limits.sequences = 3;
    options.cache_tokens = 2048;
    model_ = serve_model("model", saying("", std::string(kAnswer), 4).loaded, options, 4).value();
    front_->metrics().measure(model_);
    models_.add(model_);
    server_ = std::make_unique<RunningServer>(front_->before(router_));
  }
  // What was asked of it has ended, and nobody is connected.
  bool idle() {
    for (int tries = 0; tries < 2000; ++tries) {
      const engine::EngineStats stats = model_.engine->stats();
      if (stats.running + stats.waiting + (*server_)->stats().open == 0) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  static std::string chat(bool stream) {
    const Json message = {{"role", "user"}, {"content", "hi"}};
    return post("/v1/chat/completions",
                Json{{"messages", {message}}, {"temperature", 0}, {"stream", stream}}.dump());
  }

  // The text of an answer, or of its events, put together.
  static std::string text_of(const Answer& answer, bool stream) {
    if (!stream) return Json::parse(answer.body)["choices"][0]["message"]["content"];
    std::string text;
    for (size_t at = 0; (at = answer.body.find("data: {", at)) != std::string::npos;) {
      const size_t end = answer.body.find("\n\n", at);
      const Json event = Json::parse(answer.body.substr(at + 6, end - at - 6));
      at = end;
      if (!event["choices"].empty()) text += event["choices"][0]["delta"].value("content", "");
    }
    return text;
  }

  void ask(bool stream) {
    Client client((*server_)->port());
    const Answer answer = client.ask(chat(stream));
    if (answer.status == 200) {
      ++whole_;
      EXPECT_EQ(text_of(answer, stream), kAnswer);
    } else {
      ++full_;
      EXPECT_EQ(answer.status, 503) << answer.body;
    }
  }
  void leave(Rng& rng) {
    Client client((*server_)->port());
    client.send(chat(true));
    if (rng.below(3) > 0) client.read_bytes(rng.below(150));  // no answer is shorter
  }
  void talk_nonsense(Rng& rng) {
    static const std::vector<std::string> kNonsense = {
        "",
        "{",
        "[]",
        R"({"messages": 3})",
        std::string(3000, '['),
        R"({"messages": [{"role": "user", "content": "\ud800"}]})"};
    Client client((*server_)->port());
    const Answer answer = client.ask(post("/v1/chat/completions", kNonsense[rng.below(kNonsense.size())]));
    EXPECT_EQ(answer.status / 100, 4) << answer.body;
    ++nonsense_;
  }
  void run(uint64_t stream) {
    Rng rng(1, stream);
    for (int i = 0; i < kRequestsEach; ++i) {
      const uint64_t kind = rng.below(10);
      if (kind < 2) {
        leave(rng);
      } else if (kind < 4) {
        talk_nonsense(rng);
      } else {
        ask(kind % 2 == 0);
      }
    }
  }

  std::unique_ptr<Front> front_ = Front::open({}).value();
  ServedModel model_;
  ModelTable models_;
  Router router_ = api_routes(models_);
  std::unique_ptr<RunningServer> server_;
  std::atomic<int64_t> whole_ = 0, full_ = 0, nonsense_ = 0;
};

TEST_F(SoakTest, NothingIsLostOrKeptAndEverythingIsCounted) {
  std::vector<std::thread> clients;
  for (int i = 0; i < kThreads; ++i) clients.emplace_back([this, i] { run(static_cast<uint64_t>(i)); });
  for (std::thread& client : clients) client.join();
  ASSERT_TRUE(idle());
  EXPECT_GT(whole_, 0);
  EXPECT_GT(nonsense_, 0);
  const engine::EngineStats stats = model_.engine->stats();
  EXPECT_EQ(stats.blocks_available, stats.blocks);
  EXPECT_EQ(stats.requests, stats.finished + stats.cancelled);
  EXPECT_GE(stats.finished, whole_);
  EXPECT_EQ(stats.failed, 0);
  EXPECT_GE((*server_)->stats().requests, whole_ + full_ + nonsense_);
  EXPECT_LE((*server_)->stats().requests, kThreads * kRequestsEach);
  // It answers as it did at first.
  whole_ = 0;
  ask(false);
  EXPECT_EQ(whole_, 1);
}

}  // namespace
}  // namespace quern::server::test
