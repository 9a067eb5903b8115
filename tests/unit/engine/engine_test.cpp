#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ops/linear.h"
#include "unit/engine/engine_client.h"

namespace quern::engine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class SameAnswer : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Families, SameAnswer,
                         testing::Values("gpt2", "llama", "mistral", "gemma3_text", "mixtral", "mpt"));

// Sampled answers of a request alone, in company, in small pieces, preempted, and after its prompt was remembered.
TEST_P(SameAnswer, WhateverTheCompany) {
  for (const DType compute : {DType::f32, DType::bf16}) {
    const auto loaded = tiny(GetParam(), compute);
    std::vector<Request> requests;
    for (uint64_t i = 0; i < 5; ++i)
      requests.push_back(request_of(*loaded, 20 + 31 * static_cast<int64_t>(i), 1 + i % 4, 80));
    std::vector<Answer> alone;
    for (const Request& request : requests) {
      Client client(loaded);
      ASSERT_TRUE(client.ask(1, request).ok());
      client.all();
      alone.push_back(client.answers[1]);
      ASSERT_THAT(alone.back().tokens, SizeIs(80));
    }
    const EngineOptions scarce{.context = 256, .cache_tokens = 256, .limits = {.tokens = 24, .sequences = 6}};
    for (const EngineOptions& options : {EngineOptions{}, EngineOptions{.limits = {.tokens = 16}}, scarce}) {
      Client client(loaded, options);
      for (int round = 0; round < 2; ++round) {
        for (size_t i = 0; i < requests.size(); ++i)
          ASSERT_TRUE(client.ask(static_cast<SequenceId>(i), requests[i]).ok());
        client.all();
        for (size_t i = 0; i < requests.size(); ++i)
          expect_same(client.answers[static_cast<SequenceId>(i)], alone[i], std::to_string(i));
        client.answers.clear();
      }
      EXPECT_GT(client.engine->stats().reused_tokens, 0);
      if (options.cache_tokens > 0) {
        EXPECT_GT(client.engine->stats().preempted, 0);
      }
      EXPECT_EQ(client.engine->stats().blocks_available, client.engine->stats().blocks);
    }
  }
}

TEST(Engine, AnswersAsASessionDoes) {
  const auto loaded = tiny("llama");
  const Request request = request_of(*loaded, 70, 5, 60);
  Client client(loaded);
  ASSERT_TRUE(client.ask(1, request).ok());
  client.all();
  const ops::BatchInvariant invariant;
  infer::Session session(loaded->model, 0);
  const auto expected = infer::complete(session, loaded->tokenizer, request.prompt, request.options);
  ASSERT_TRUE(expected.ok());
  EXPECT_EQ(client.answers[1].text, expected->text);
  EXPECT_EQ(client.answers[1].finish, expected->finish);
  ASSERT_EQ(client.answers[1].tokens.size(), expected->tokens.size());
  for (size_t i = 0; i < expected->tokens.size(); ++i) {
    EXPECT_EQ(client.answers[1].tokens[i].chosen.id, expected->tokens[i].id);
    EXPECT_EQ(client.answers[1].tokens[i].chosen.logprob, expected->tokens[i].logprob);
  }
}

TEST(Engine, EndsWithAnEndTokenAStopStringOrTheLength) {
  Client client(scripted("hello world"));
  Request stops = greedy();
  stops.options.stop = {"lo w"};
  ASSERT_TRUE(client.ask(1, greedy()).ok());
  ASSERT_TRUE(client.ask(2, stops).ok());
  ASSERT_TRUE(client.ask(3, greedy(4)).ok());
  client.all();
  EXPECT_EQ(client.answers[1].text, "hello world");
  EXPECT_EQ(client.answers[1].finish, infer::FinishReason::stop);
  EXPECT_EQ(client.answers[2].text, "hel");
  EXPECT_EQ(client.answers[2].finish, infer::FinishReason::stop);
  EXPECT_EQ(client.answers[3].text, "hell");
  EXPECT_EQ(client.answers[3].finish, infer::FinishReason::length);
  EXPECT_EQ(client.answers[3].usage.generated_tokens, 4);
  EXPECT_EQ(client.engine->stats().finished, 3);
}

TEST(Engine, TextIsTheSameInPiecesAndWhole) {
  Client client(scripted("gr\u00fc\u00dfe \U0001F600!"));
  ASSERT_TRUE(client.ask(1, greedy()).ok());
  client.all();
  EXPECT_EQ(client.answers[1].text, "gr\u00fc\u00dfe \U0001F600!");
  EXPECT_GT(client.answers[1].updates, 5);
}

TEST(Engine, AFullContextEndsTheAnswerUnlessItMayForget) {
  Client client(scripted("abcdefghijklmnopqrstuvwxyz"), {.context = 8});
  Request goes_on = greedy(20);
  goes_on.options.context_shift = true;
  ASSERT_TRUE(client.ask(1, greedy()).ok());
  ASSERT_TRUE(client.ask(2, goes_on).ok());
  client.all();
  EXPECT_EQ(client.answers[1].text, "abcdefg");
  EXPECT_EQ(client.answers[1].finish, infer::FinishReason::context_full);
  EXPECT_THAT(client.answers[2].tokens, SizeIs(20));
  EXPECT_EQ(client.answers[2].finish, infer::FinishReason::length);
  EXPECT_EQ(client.answers[2].text.substr(0, 8), "abcdefgh");
}

TEST(Engine, TellsLogprobsOfPromptAndAnswer) {
  const auto loaded = tiny("llama");
  Request request = request_of(*loaded, 150, 9, 3);
  request.prompt_logprobs = true;
  request.top_logprobs = 4;
  Client client(loaded, {.limits = {.tokens = 64}});
  ASSERT_TRUE(client.ask(1, request).ok());
  client.all();
  const Answer& answer = client.answers[1];
  ASSERT_THAT(answer.prompt, SizeIs(150));
  ASSERT_THAT(answer.tokens, SizeIs(3));
  infer::Session session(loaded->model, 0);
  for (size_t i = 1; i < 150; i += 37) {
    ASSERT_TRUE(session.set_tokens(std::span(request.prompt).first(i)).ok());
    const auto token = static_cast<size_t>(request.prompt[i]);
    EXPECT_EQ(answer.prompt[i].chosen.id, request.prompt[i]);
    EXPECT_NEAR(answer.prompt[i].chosen.logprob,
                session.logits()[token] - infer::log_sum_exp(session.logits()), 1e-4);
    ASSERT_THAT(answer.prompt[i].top, SizeIs(4));
    EXPECT_GE(answer.prompt[i].top[0].logprob, answer.prompt[i].top[3].logprob);
  }
  EXPECT_THAT(answer.tokens[0].top, SizeIs(4));

  // Scoring alone: no token is asked for, and the whole context may be prompt.
  Request scoring = request_of(*loaded, kPositions, 9, 0);
  scoring.prompt_logprobs = true;
  ASSERT_TRUE(client.ask(2, scoring).ok());
  client.all();
  EXPECT_THAT(client.answers[2].prompt, SizeIs(kPositions));
  EXPECT_THAT(client.answers[2].tokens, IsEmpty());
  EXPECT_EQ(client.answers[2].finish, infer::FinishReason::length);
}

TEST(Engine, RefusesWhatCannotBeAnswered) {
  Client client(tiny("llama"), {.context = 100});
  const auto refused = [&](Request request) {
    const Result<void> result = client.ask(1, std::move(request));
    EXPECT_FALSE(result.ok());
    return result.ok() ? std::string() : result.error().message;
  };
  EXPECT_THAT(refused({}), HasSubstr("empty"));
  EXPECT_THAT(refused({.prompt = std::vector<int32_t>(100, 1)}), HasSubstr("100 tokens"));
  EXPECT_THAT(refused({.prompt = {1, 100000}}), HasSubstr("token 100000"));
  EXPECT_THAT(refused({.prompt = {-1}}), HasSubstr("token -1"));
  EXPECT_TRUE(client.engine->empty());
  EXPECT_THAT(Engine::create(tiny("llama"), {.context = 100, .cache_tokens = 50}).error().message,
              HasSubstr("a cache of 50 tokens"));
}

TEST(Engine, GivesUpWhatIsCancelledOrLate) {
  Client client(scripted(std::string(60, 'x')));
  Request late = greedy();
  late.timeout = 5.5;
  ASSERT_TRUE(client.ask(1, greedy()).ok());
  ASSERT_TRUE(client.ask(2, late).ok());
  client.step();
  client.step();
  client.engine->cancel(1, client.now);
  client.engine->cancel(1, client.now);
  EXPECT_EQ(client.answers[1].finish, infer::FinishReason::cancelled);
  EXPECT_EQ(client.answers[1].text, "xx");
  client.all();
  ASSERT_TRUE(client.answers[2].error);
  EXPECT_EQ(client.answers[2].error->code, ErrorCode::deadline);
  EXPECT_EQ(client.answers[2].text, "xxxxx");
  EXPECT_EQ(client.engine->stats().blocks_available, client.engine->stats().blocks);
}

// Weights that overflow spoil the answers of their own requests, with an error, and nothing else.
TEST(Engine, LogitsThatAreNoNumbersFailTheirRequest) {
  auto loaded = tiny("gpt2");
  const_cast<model::Decoder&>(loaded->model).visit([&](const std::string& name, nn::Parameter& parameter) {
    if (name == "position.weight") parameter.master().span<float>()[16 * 30] = NAN;  // of the 31st token
  });
  Client client(loaded);
  ASSERT_TRUE(client.ask(1, request_of(*loaded, 10, 1, 40)).ok());
  ASSERT_TRUE(client.ask(2, request_of(*loaded, 10, 2, 15)).ok());
  client.all();
  ASSERT_TRUE(client.answers[1].error);
  EXPECT_EQ(client.answers[1].error->code, ErrorCode::corrupt);
  EXPECT_EQ(client.answers[2].finish, infer::FinishReason::length);
}

}  // namespace
}  // namespace quern::engine
