// A model behind an endpoint, which answers well, badly, late and not at all.
#include "writing/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <set>

#include "base/json.h"
#include "unit/store/loopback_server.h"
#include "unit/writing/scripted_respondent.h"

namespace quern::writing {
namespace {

using store::Call;
using store::LoopbackServer;
using testing::HasSubstr;

std::string completion(const std::string& text, const std::string& finish = "stop") {
  return nlohmann::json({{"choices",
                          {{{"index", 0},
                            {"message", {{"role", "assistant"}, {"content", text}}},
                            {"finish_reason", finish}}}},
                         {"usage", {{"prompt_tokens", 3}, {"completion_tokens", 5}}}})
      .dump();
}
// Says the question again.
void echo(const Call& call) {
  const auto body = nlohmann::json::parse(call.body);
  call.answer("200 OK", "", completion("re: " + body["messages"].back()["content"].get<std::string>()));
}

std::unique_ptr<Respondent> endpoint(const std::string& url, int64_t parallel = 3) {
  EndpointOptions options{.url = url, .model = "m", .key = "secret", .parallel = parallel};
  options.http = {.attempts = 3, .backoff_seconds = 0.001, .whole_seconds = 5.0, .ca_file = {}};
  return open_endpoint(std::move(options)).value();
}

TEST(Endpoint, IsAskedAsOpenAiSaysAndAnswersInOrder) {
  const LoopbackServer server(echo);
  const auto replies = endpoint(server.url("/v1"))
                           ->ask(questions(7), {.max_tokens = 9, .temperature = 0.5, .seed = 4})
                           .value();
  ASSERT_EQ(replies.size(), 7u);
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(replies[i].text, "re: q" + std::to_string(i));
  EXPECT_TRUE(replies[0].ended);
  EXPECT_EQ(replies[0].tokens, 5);
  std::set<int64_t> seeds;
  for (const Call& call : server.calls()) {
    EXPECT_EQ(call.target, "/v1/chat/completions");
    EXPECT_EQ(call.header("authorization"), "Bearer secret");
    EXPECT_EQ(call.header("content-type"), "application/json");
    const auto body = nlohmann::json::parse(call.body);
    EXPECT_EQ(body["model"], "m");
    EXPECT_EQ(body["max_tokens"], 9);
    EXPECT_EQ(body["temperature"], 0.5);
    EXPECT_EQ(body["messages"].size(), 1u);
    EXPECT_FALSE(body.contains("top_p"));
    seeds.insert(body["seed"].get<int64_t>());
  }
  EXPECT_EQ(seeds.size(), 7u) << "each question has a stream of its own";
}

TEST(Endpoint, IsFoundFromWhateverPartOfItsAddressIsGiven) {
  const LoopbackServer server(echo);
  for (const char* given : {"", "/", "/v1", "/v1/", "/v1/chat/completions"})
    EXPECT_TRUE(endpoint(server.url(given))->ask(questions(1), {}).ok()) << given;
  for (const Call& call : server.calls()) EXPECT_EQ(call.target, "/v1/chat/completions");
  EXPECT_FALSE(open_endpoint({.url = "not an address", .model = "m", .key = {}}).ok());
}

// One failure of each kind, and then an answer: nobody notices.
TEST(Endpoint, IsAskedAgainWhereItFailed) {
  int calls = 0;
  const LoopbackServer server([&](const Call& call) {
    switch (++calls) {
      case 1:
        return (void)call.answer("429 Too Many Requests", "Retry-After: 0\r\n", "{}");
      case 2:
        return (void)call.answer("500 Oh", "", "oh");
      case 3:
        return echo(call);
      case 4:
        return (void)call.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"choices\": [");
      case 5:
        return (void)call.answer("200 OK", "", "{\"choices\": [{\"message\"");
      case 6:
        return echo(call);
      case 7:
        return (void)call.answer("200 OK", "", "{\"choices\": []}");
      case 8:
        return;  // closed without a word
      default:
        return echo(call);
    }
  });
  const auto model = endpoint(server.url("/v1"), 1);
  const auto replies = model->ask(questions(3), {}).value();
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(replies[i].text, "re: q" + std::to_string(i));
  EXPECT_EQ(server.calls().size(), 9u);
}

TEST(Endpoint, GivesUpWithWhatWasWrong) {
  std::string status = "503 Busy", body = "{\"error\": {\"message\": \"resting\"}}";
  const LoopbackServer server([&](const Call& call) { call.answer(status, "", body); });
  const auto model = endpoint(server.url("/v1"), 1);
  const auto error = [&] { return model->ask(questions(1), {}).error(); };
  EXPECT_EQ(error().code, ErrorCode::unavailable);
  EXPECT_THAT(error().message, HasSubstr("503: resting"));
  status = "401 Who", body = "{\"error\": {\"message\": \"no such key\"}}";
  EXPECT_EQ(error().code, ErrorCode::permission);
  EXPECT_THAT(error().message, HasSubstr("no such key"));
  EXPECT_THAT(error().to_string(), testing::Not(HasSubstr("secret")));
  status = "200 OK", body = "<html>";
  EXPECT_EQ(error().code, ErrorCode::corrupt);
  EXPECT_THAT(error().message, HasSubstr("expected a chat completion"));
  status = "400 No", body = "{\"error\": {\"message\": \"unknown field\"}}";
  EXPECT_EQ(error().code, ErrorCode::invalid_argument) << "it never answered anything";
}

TEST(Endpoint, DoesNotWaitForever) {
  const LoopbackServer server(
      [&](const Call&) { std::this_thread::sleep_for(std::chrono::milliseconds(60)); });
  EndpointOptions options{.url = server.url("/v1"), .model = "m", .key = {}};
  options.http = {.attempts = 2, .backoff_seconds = 0.001, .whole_seconds = 0.02, .ca_file = {}};
  const auto model = open_endpoint(options).value();
  EXPECT_EQ(model->ask(questions(1), {}).error().code, ErrorCode::deadline);
}

TEST(Endpoint, WhatCameBeforeAFailureIsReceived) {
  int calls = 0;
  const LoopbackServer server([&](const Call& call) {
    if (++calls <= 2)
      echo(call);
    else
      call.answer("403 No", "", "{}");
  });
  std::set<size_t> received;
  const auto replies =
      endpoint(server.url("/v1"), 1)->ask(questions(5), {}, [&](size_t i, const Reply& reply) {
        EXPECT_EQ(reply.text, "re: q" + std::to_string(i));
        received.insert(i);
      });
  EXPECT_EQ(replies.error().code, ErrorCode::permission);
  EXPECT_THAT(received, testing::ElementsAre(0, 1));
  EXPECT_EQ(calls, 3) << "no further question after it";
}

TEST(Endpoint, MayRefuseSingleQuestions) {
  const LoopbackServer server([&](const Call& call) {
    if (call.body.find("\"q1\"") != std::string::npos)
      call.answer("400 No", "", "{\"error\": {\"message\": \"too long\"}}");
    else
      echo(call);
  });
  const auto replies = endpoint(server.url("/v1"))->ask(questions(3), {}).value();
  EXPECT_EQ(replies[0].refusal, "");
  EXPECT_THAT(replies[1].refusal, HasSubstr("too long"));
  EXPECT_EQ(replies[1].text, "");
  EXPECT_EQ(replies[2].text, "re: q2");
}

TEST(Endpoint, ReadsHowAnswersEnd) {
  EXPECT_FALSE(read_completion(completion("a", "length"), {}).value().ended);
  EXPECT_NE(read_completion(completion("a", "content_filter"), {}).value().refusal, "");
  const auto refused = read_completion(
      R"({"choices": [{"message": {"content": null, "refusal": "I will not"}, "finish_reason": "stop"}]})",
      {});
  EXPECT_EQ(refused.value().refusal, "I will not");
  for (const char* bad : {"", "[]", "{\"choices\": 3}", "{\"choices\": [{}]}",
                          "{\"choices\": [{\"message\": {\"content\": 3}}]}"})
    EXPECT_EQ(read_completion(bad, {}).error().code, ErrorCode::corrupt) << bad;
}

TEST(Endpoint, ReadsTheProbabilitiesOfChoices) {
  const AskOptions options{.choices = {"A", "B"}};
  const auto body = completion_request(question("A or B?", 1), options, "m");
  EXPECT_EQ(body["max_tokens"], 1);
  EXPECT_EQ(body["logprobs"], true);
  EXPECT_EQ(body["top_logprobs"], 20);
  const auto reply = read_completion(
      R"({"choices": [{"message": {"content": "B"}, "finish_reason": "length", "logprobs": {"content": [
         {"token": "B", "logprob": -0.5, "top_logprobs": [{"token": "B", "logprob": -0.5},
          {"token": " (A", "logprob": -1.5}, {"token": " B", "logprob": -3.0}, {"token": "Both", "logprob": -4.0}]}]}}]})",
      options);
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_NEAR(reply->choices[0], std::exp(-1.5), 1e-12);
  EXPECT_NEAR(reply->choices[1], std::exp(-0.5) + std::exp(-3.0), 1e-12);
  // Without log-probabilities the word counts.
  EXPECT_EQ(read_completion(completion("(B)"), options)->choices, (std::vector<double>{0.0, 1.0}));
  EXPECT_EQ(read_completion(completion("Both"), options)->choices, (std::vector<double>{0.0, 0.0}));
}

}  // namespace
}  // namespace quern::writing
