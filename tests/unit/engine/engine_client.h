// An engine with clients, for tests: tiny models, and what is asked of and told by them.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "unit/infer/scripted_model.h"
#include "unit/model/tiny_models.h"

namespace quern::engine {

inline constexpr int64_t kPositions = 400;

inline std::shared_ptr<const infer::LoadedModel> tiny(const std::string& family, DType compute = DType::f32) {
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
  explicit Client(std::shared_ptr<const infer::LoadedModel> loaded, const EngineOptions& options = {},
                  std::unique_ptr<Proposer> proposer = nullptr)
      : engine(Engine::create(std::move(loaded), options, std::move(proposer)).value()) {}

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

inline std::vector<int32_t> prompt_of(int64_t count, uint64_t seed, int64_t vocab) {
  const Tensor tokens = model::random_tokens(1, count, vocab, seed);
  return {tokens.span<int32_t>().begin(), tokens.span<int32_t>().end()};
}

inline Request request_of(const infer::LoadedModel& loaded, int64_t prompt, uint64_t seed,
                          int64_t max_tokens) {
  Request request{.prompt = prompt_of(prompt, seed, loaded.model.config().vocab_size)};
  request.options.max_tokens = max_tokens;
  request.options.sampling.seed = seed;
  request.options.ignore_eos = true;
  return request;
}

inline void expect_same(const Answer& got, const Answer& expected, const std::string& what) {
  EXPECT_EQ(got.ids(), expected.ids()) << what;
  EXPECT_EQ(got.text, expected.text) << what;
  ASSERT_EQ(got.tokens.size(), expected.tokens.size()) << what;
  for (size_t i = 0; i < got.tokens.size(); ++i) {
    EXPECT_EQ(got.tokens[i].chosen.logprob, expected.tokens[i].chosen.logprob) << what << ", token " << i;
    ASSERT_EQ(got.tokens[i].top.size(), expected.tokens[i].top.size()) << what;
    for (size_t j = 0; j < got.tokens[i].top.size(); ++j)
      EXPECT_EQ(got.tokens[i].top[j].logprob, expected.tokens[i].top[j].logprob) << what << ", token " << i;
  }
  EXPECT_EQ(got.finish, expected.finish) << what;
  EXPECT_EQ(got.error.has_value(), expected.error.has_value()) << what;
}

inline std::shared_ptr<const infer::LoadedModel> scripted(std::string_view text, int64_t positions = 64) {
  const text::Tokenizer tokenizer = infer::byte_tokenizer();
  std::vector<int32_t> script = tokenizer.encode(text);
  script.resize(static_cast<size_t>(positions), 0);
  model::Decoder model = infer::scripted_model(script, tokenizer.vocab_size());
  return std::make_shared<const infer::LoadedModel>(
      infer::LoadedModel{{.tokenizer = tokenizer, .end_tokens = {0}}, std::move(model)});
}

inline Request greedy(int64_t max_tokens = 50) {
  Request request{.prompt = {7}};
  request.options.sampling.temperature = 0;
  request.options.max_tokens = max_tokens;
  request.options.end_tokens = {0};
  return request;
}

}  // namespace quern::engine
