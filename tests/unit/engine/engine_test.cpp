#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ops/linear.h"
#include "unit/infer/scripted_model.h"
#include "unit/model/tiny_models.h"

namespace quern::engine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int64_t kPositions = 400;

std::shared_ptr<const infer::LoadedModel> tiny(const std::string& family, DType compute = DType::f32) {
  model::ModelConfig config = model::tiny_config(family);
  const text::Tokenizer tokenizer = infer::byte_tokenizer();
  config.vocab_size = tokenizer.vocab_size();
  config.max_positions = kPositions;
  if (family == "mistral" || family == "gemma3_text") config.window = 40;
  model::Decoder model = model::Decoder::create(config, 3).value();
  model.set_compute_dtype(compute);
  return std::make_shared<const infer::LoadedModel>(
      infer::LoadedModel{{.tokenizer = tokenizer, .end_tokens = {0}}, std::move(model)});
}

struct Answer {
  std::vector<TokenUpdate> prompt, tokens;
  std::string text;
  std::optional<infer::FinishReason> finish;
  std::optional<Error> error;
  Usage usage;
  int updates = 0;

  std::vector<int32_t> ids() const {
    std::vector<int32_t> ids;
    for (const TokenUpdate& token : tokens) ids.push_back(token.chosen.id);
    return ids;
  }
};

// Runs requests on one engine, and keeps what it tells.
class Client {
 public:
  explicit Client(std::shared_ptr<const infer::LoadedModel> loaded, const EngineOptions& options = {})
      : engine(Engine::create(std::move(loaded), options).value()) {}

  Result<void> ask(SequenceId id, Request request) {
    return engine->add(
        id, std::move(request),
        [this, id](Update&& update) {
          Answer& answer = answers[id];
          EXPECT_FALSE(answer.finish || answer.error) << "an update after the last";
          for (TokenUpdate& token : update.prompt) answer.prompt.push_back(std::move(token));
          for (TokenUpdate& token : update.tokens) answer.tokens.push_back(std::move(token));
          answer.text += update.text;
          answer.finish = update.finish;
          answer.error = update.error;
          answer.usage = update.usage;
          ++answer.updates;
        },
        now);
  }
  bool step() {
    now += 1.0;
    return engine->step(now, [this] { return now + 0.5; });
  }
  void all() {
    for (int i = 0; i < 5000 && step(); ++i) {
    }
    EXPECT_TRUE(engine->empty());
  }

  std::unique_ptr<Engine> engine;
  std::map<SequenceId, Answer> answers;
  double now = 0.0;
};

std::vector<int32_t> prompt_of(int64_t count, uint64_t seed, int64_t vocab) {
  const Tensor tokens = model::random_tokens(1, count, vocab, seed);
  return {tokens.span<int32_t>().begin(), tokens.span<int32_t>().end()};
}

Request request_of(const infer::LoadedModel& loaded, int64_t prompt, uint64_t seed, int64_t max_tokens) {
  Request request{.prompt = prompt_of(prompt, seed, loaded.model.config().vocab_size)};
  request.options.max_tokens = max_tokens;
  request.options.sampling.seed = seed;
  request.options.ignore_eos = true;
  return request;
}

void expect_same(const Answer& got, const Answer& expected, const std::string& what) {
  EXPECT_EQ(got.ids(), expected.ids()) << what;
  EXPECT_EQ(got.text, expected.text) << what;
  ASSERT_EQ(got.tokens.size(), expected.tokens.size()) << what;
  for (size_t i = 0; i < got.tokens.size(); ++i)
    EXPECT_EQ(got.tokens[i].chosen.logprob, expected.tokens[i].chosen.logprob) << what << ", token " << i;
}

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

std::shared_ptr<const infer::LoadedModel> scripted(std::string_view text, int64_t positions = 64) {
  const text::Tokenizer tokenizer = infer::byte_tokenizer();
  std::vector<int32_t> script = tokenizer.encode(text);
  script.resize(static_cast<size_t>(positions), 0);
  model::Decoder model = infer::scripted_model(script, tokenizer.vocab_size());
  return std::make_shared<const infer::LoadedModel>(
      infer::LoadedModel{{.tokenizer = tokenizer, .end_tokens = {0}}, std::move(model)});
}

Request greedy(int64_t max_tokens = 50) {
  Request request{.prompt = {7}};
  request.options.sampling.temperature = 0;
  request.options.max_tokens = max_tokens;
  request.options.end_tokens = {0};
  return request;
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
