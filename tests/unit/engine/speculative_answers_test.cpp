// Answers with guesses, which must be those without, to the bit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "grammar/grammar_cache.h"
#include "infer/constraint.h"
#include "tensor/block_formats.h"
#include "unit/engine/engine_client.h"

namespace quern::engine {
namespace {

using testing::SizeIs;

// Knows what each sequence will say, and lies now and then.
class Oracle final : public Proposer {
 public:
  using Truths = std::map<SequenceId, std::vector<int32_t>>;  // prompts with their answers
  Oracle(Truths truths, double lies, int32_t lie = 5)
      : truths_(std::move(truths)), lies_(lies), lie_(lie), rng_(1, 1) {}

  void look(Guess& guess) override {
    const auto& truth = truths_.at(guess.id);
    const bool as_known = guess.tokens.size() <= truth.size() &&
                          std::equal(guess.tokens.begin(), guess.tokens.end(), truth.begin());
    guess.most =
        as_known ? std::min(guess.most, static_cast<int64_t>(truth.size() - guess.tokens.size())) : 0;
    guess.kind = static_cast<int32_t>(guess.id % kKinds);
  }
  void propose(std::span<Guess*> guesses) override {
    for (Guess* guess : guesses) {
      for (int64_t i = 0; i < guess->most; ++i) {
        const int32_t right = truths_.at(guess->id)[guess->tokens.size() + static_cast<size_t>(i)];
        guess->drafts.push_back(rng_.uniform() < lies_ ? lie_ : right);
      }
    }
  }
  void forget(SequenceId) override {}

 private:
  Truths truths_;
  double lies_;
  int32_t lie_;
  Rng rng_;
};

std::vector<int32_t> text_of(const Request& request, const Answer& answer) {
  std::vector<int32_t> text = request.prompt;
  for (const int32_t id : answer.ids()) text.push_back(id);
  return text;
}

Answer alone(const std::shared_ptr<const infer::LoadedModel>& loaded, const Request& request,
             const EngineOptions& options = {}) {
  Client client(loaded, options);
  EXPECT_TRUE(client.ask(1, request).ok());
  client.all();
  return client.answers[1];
}

// Of all kinds: sampled and greedy, with penalties and other samplers, with log-probabilities.
std::vector<Request> requests_of(const infer::LoadedModel& loaded) {
  std::vector<Request> requests;
  for (uint64_t i = 0; i < 5; ++i) {
    Request request = request_of(loaded, 20 + 31 * static_cast<int64_t>(i), 1 + i % 4, 80);
    infer::SamplingOptions& sampling = request.options.sampling;
    if (i == 1) sampling.temperature = 0.0;
    if (i == 2) {
      sampling.temperature = 0.5;
      sampling.repetition_penalty = 1.2;
      sampling.frequency_penalty = 0.3;
      sampling.dry.multiplier = 0.5;
      request.top_logprobs = 3;
    }
    if (i == 3) sampling.mirostat = 2;
    if (i == 4) {
      sampling.top_k = 20;
      sampling.xtc_probability = 0.5;
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

// A prompt that says a few tokens again and again, of which answers at a low temperature go on to.
Request repetitive(const infer::LoadedModel& loaded, uint64_t seed) {
  Request request = request_of(loaded, 12, seed, 80);
  for (int i = 0; i < 36; ++i) request.prompt.push_back(request.prompt[static_cast<size_t>(i)]);
  request.options.sampling.temperature = 0.2;
  return request;
}

void expect_same_in_all_company(const std::shared_ptr<const infer::LoadedModel>& loaded,
                                const std::vector<Request>& requests,
                                const std::function<std::unique_ptr<Proposer>(const Oracle::Truths&)>& make,
                                SpeculationOptions speculation = {}) {
  std::vector<Answer> expected;
  Oracle::Truths truths;
  for (size_t i = 0; i < requests.size(); ++i) {
    expected.push_back(alone(loaded, requests[i]));
    truths[static_cast<SequenceId>(i)] = text_of(requests[i], expected.back());
  }
  const EngineOptions scarce{.context = 256, .cache_tokens = 256, .limits = {.tokens = 24, .sequences = 6}};
  for (EngineOptions options : {EngineOptions{}, EngineOptions{.limits = {.tokens = 16}}, scarce}) {
    options.speculation = speculation;
    Client client(loaded, options, make(truths));
    for (int round = 0; round < 2; ++round) {
      for (size_t i = 0; i < requests.size(); ++i)
        ASSERT_TRUE(client.ask(static_cast<SequenceId>(i), requests[i]).ok());
      client.all();
      for (size_t i = 0; i < requests.size(); ++i)
        expect_same(client.answers[static_cast<SequenceId>(i)], expected[i], std::to_string(i));
      client.answers.clear();
    }
    const EngineStats stats = client.engine->stats();
    EXPECT_GT(stats.accepted_tokens, 0);
    EXPECT_GT(stats.guessed_tokens, stats.accepted_tokens);
    EXPECT_GT(stats.reused_tokens, 0);
    EXPECT_EQ(stats.blocks_available, stats.blocks);
  }
}

class SpeculativeAnswers : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Families, SpeculativeAnswers,
                         testing::Values("gpt2", "llama", "mistral", "gemma3_text", "mixtral", "mpt"));

TEST_P(SpeculativeAnswers, AreThoseWithout) {
  for (const DType compute : {DType::f32, DType::bf16}) {
    const auto loaded = tiny(GetParam(), compute);
    expect_same_in_all_company(loaded, requests_of(*loaded), [](const Oracle::Truths& truths) {
      return std::make_unique<Oracle>(truths, 0.2);
    });
  }
}

TEST_P(SpeculativeAnswers, AreThoseWithoutLookUp) {
  const auto loaded = tiny(GetParam());
  std::vector<Request> requests;
  for (uint64_t seed = 1; seed <= 4; ++seed) requests.push_back(repetitive(*loaded, seed));
  expect_same_in_all_company(loaded, requests, [](const auto&) { return nullptr; },
                             {.kind = SpeculationOptions::Kind::ngram, .most = 6});
}

// Weights in blocks of 8 bits, whose products round what they read.
std::shared_ptr<const infer::LoadedModel> quantised() {
  model::ModelConfig config = model::tiny_config("llama");
  const text::Tokenizer tokenizer = infer::byte_tokenizer();
  config.vocab_size = tokenizer.vocab_size();
  config.max_positions = kPositions;
  config.hidden = 64;
  config.intermediate = 96;
  model::Decoder model = model::Decoder::create(config, 3).value();
  model.visit([&](const std::string& name, nn::Parameter& parameter) {
    if (!parameter.is_matrix() || name == "embedding.weight") return;
    const Tensor blocks(parameter.shape(), DType::q8_0);
    auto* block = static_cast<BlockQ8_0*>(blocks.raw());
    const auto values = parameter.master().span<float>();
    for (size_t i = 0; i < values.size(); i += 32, ++block) {
      block->d = float16(1.0f / 100.0f);
      for (size_t j = 0; j < 32; ++j)
        block->qs[j] = static_cast<int8_t>(std::lround(std::clamp(values[i + j], -1.2f, 1.2f) * 100.0f));
    }
    parameter.set_trainable(false);
    parameter.assign(blocks);
  });
  model.pack();
  return std::make_shared<const infer::LoadedModel>(
      infer::LoadedModel{{.tokenizer = tokenizer, .end_tokens = {0}}, std::move(model)});
}

TEST(SpeculativeAnswer, IsTheSameOfQuantisedWeights) {
  const auto loaded = quantised();
  expect_same_in_all_company(loaded, requests_of(*loaded), [](const Oracle::Truths& truths) {
    return std::make_unique<Oracle>(truths, 0.3);
  });
}

TEST(SpeculativeAnswer, IsTheSameUnderAGrammar) {
  const auto loaded = tiny("llama");
  grammar::GrammarCache grammars(infer::make_vocabulary(loaded->tokenizer, loaded->end_tokens).value());
  std::vector<Request> requests;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    Request request = request_of(*loaded, 30, seed, 60);
    request.options.constraint =
        grammars.get({grammar::Constraint::Kind::regex, "(ab|cd|[0-9]{2}){3,20}(x|yz)"}).value();
    request.options.ignore_eos = false;
    request.options.end_tokens = {0};
    requests.push_back(std::move(request));
  }
  expect_same_in_all_company(
      loaded, requests, [](const Oracle::Truths& truths) { return std::make_unique<Oracle>(truths, 0.2); });
}

// One that says a script, and what it says without guesses.
class Scripted : public testing::Test {
 protected:
  static constexpr SequenceId kId = 1;
  // The answer with guesses of the whole script.
  Answer ask(const std::shared_ptr<const infer::LoadedModel>& loaded, std::string_view text,
             const Request& request, const EngineOptions& options = {}) {
    std::vector<int32_t> truth = request.prompt;
    for (const int32_t id : loaded->tokenizer.encode(text)) truth.push_back(id);
    truth.resize(60, 0);
    Client client(loaded, options, std::make_unique<Oracle>(Oracle::Truths{{kId, truth}}, 0.0));
    EXPECT_TRUE(client.ask(kId, request).ok());
    client.all();
    const EngineStats stats = client.engine->stats();
    EXPECT_GT(stats.accepted_tokens, 0);
    EXPECT_EQ(stats.generated_tokens, client.answers[kId].usage.generated_tokens);
    EXPECT_EQ(stats.blocks_available, stats.blocks);
    expect_same(client.answers[kId], alone(loaded, request, options), std::string(text));
    return client.answers[kId];
  }
};

TEST_F(Scripted, EndTokensStopStringsAndLengthsEndAnAnswerWithinGuesses) {
  const auto loaded = scripted("hello world");
  Request stops = greedy();
  stops.options.stop = {"lo w"};
  EXPECT_EQ(ask(loaded, "hello world", greedy()).text, "hello world");
  EXPECT_EQ(ask(loaded, "hello world", stops).text, "hel");
  const Answer nine = ask(loaded, "hello world", greedy(9));
  EXPECT_EQ(nine.text, "hello wor");
  EXPECT_EQ(nine.usage.generated_tokens, 9);
  EXPECT_EQ(nine.usage.accepted_tokens, 4);
  EXPECT_LT(nine.updates, 9);
}

TEST_F(Scripted, AFullContextEndsAnAnswerWithinGuesses) {
  const auto loaded = scripted("abcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(ask(loaded, "abcdefghijklm", greedy(), {.context = 8}).text, "abcdefg");
  Request goes_on = greedy(20);
  goes_on.options.context_shift = true;
  EXPECT_THAT(ask(loaded, "abcdefghijklm", goes_on, {.context = 8}).tokens, SizeIs(20));
}

TEST_F(Scripted, AConstraintEndsAnAnswerWithinGuesses) {
  const auto loaded = scripted("hello world");
  grammar::GrammarCache grammars(infer::make_vocabulary(loaded->tokenizer, loaded->end_tokens).value());
  Request request = greedy();
  request.options.constraint = grammars.get({grammar::Constraint::Kind::regex, "hello wo"}).value();
  EXPECT_EQ(ask(loaded, "hello world", request).text, "hello wo");
}

TEST_F(Scripted, CancelledBetweenGuesses) {
  const auto loaded = scripted(std::string(60, 'x'));
  const std::vector<int32_t> truth(60, loaded->tokenizer.encode("x")[0]);
  Oracle::Truths truths{{kId, truth}};
  truths[kId][0] = greedy().prompt[0];
  Client client(loaded, {.speculation = {.most = 4}}, std::make_unique<Oracle>(truths, 0.0));
  ASSERT_TRUE(client.ask(kId, greedy()).ok());
  for (int i = 0; i < 6; ++i) client.step();
  client.engine->cancel(kId, client.now);
  const Answer& answer = client.answers[kId];
  EXPECT_EQ(answer.finish, infer::FinishReason::cancelled);
  EXPECT_EQ(answer.text,
            std::string(1 + 3 + 2 * 5, 'x'));  // of the prompt, of passes to learn, and of guesses
  EXPECT_EQ(client.engine->stats().blocks_available, client.engine->stats().blocks);
}

// What came before a token that could not be chosen is told, as without guesses.
TEST(SpeculativeAnswer, TellsWhatCameBeforeAFailure) {
  auto loaded = tiny("gpt2");
  const Request request = request_of(*loaded, 10, 1, 40);
  const std::vector<int32_t> truth = text_of(request, alone(loaded, request));
  const_cast<model::Decoder&>(loaded->model).visit([&](const std::string& name, nn::Parameter& parameter) {
    if (name == "position.weight") parameter.master().span<float>()[16 * 30] = NAN;  // of the 31st token
  });
  const Answer expected = alone(loaded, request);
  ASSERT_TRUE(expected.error);
  Client client(loaded, {}, std::make_unique<Oracle>(Oracle::Truths{{1, truth}}, 0.0));
  ASSERT_TRUE(client.ask(1, request).ok());
  client.all();
  EXPECT_GT(client.engine->stats().accepted_tokens, 5);
  expect_same(client.answers[1], expected, "failed");
  EXPECT_EQ(client.answers[1].error->code, ErrorCode::corrupt);
}

}  // namespace
}  // namespace quern::engine
