#include "engine/draft_proposer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/engine/engine_client.h"

namespace quern::engine {
namespace {

using testing::HasSubstr;

SpeculationOptions drafted_by(std::shared_ptr<const infer::LoadedModel> draft) {
  return {.kind = SpeculationOptions::Kind::draft, .most = 5, .draft = std::move(draft)};
}

std::vector<Request> drafted_requests(const infer::LoadedModel& loaded) {
  std::vector<Request> requests;
  for (uint64_t i = 0; i < 4; ++i) {
    Request request = request_of(loaded, 10 + 170 * static_cast<int64_t>(i % 2), 1 + i, 60);
    request.options.sampling.temperature = i == 0 ? 0.0 : 1.0;
    if (i == 2) request.options.sampling.presence_penalty = 0.5;
    requests.push_back(std::move(request));
  }
  return requests;
}

EngineStats expect_same_answers(const std::shared_ptr<const infer::LoadedModel>& loaded,
                                const std::shared_ptr<const infer::LoadedModel>& draft,
                                const std::vector<Request>& requests, EngineOptions options = {}) {
  Client plain(loaded, options);
  options.speculation = drafted_by(draft);
  Client client(loaded, options);
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_TRUE(plain.ask(static_cast<SequenceId>(i), requests[i]).ok());
    EXPECT_TRUE(client.ask(static_cast<SequenceId>(i), requests[i]).ok());
  }
  plain.all();
  client.all();
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto id = static_cast<SequenceId>(i);
    expect_same(client.answers[id], plain.answers[id], std::to_string(i));
  }
  EXPECT_EQ(client.engine->stats().blocks_available, client.engine->stats().blocks);
  return client.engine->stats();
}

TEST(DraftProposer, AModelGuessesItself) {
  for (const char* family : {"llama", "gpt2", "mistral"}) {
    const auto loaded = tiny(family);
    const EngineStats stats = expect_same_answers(loaded, loaded, drafted_requests(*loaded));
    // With the same random numbers it is always right, sampled or not.
    EXPECT_EQ(stats.accepted_tokens, stats.guessed_tokens);
    EXPECT_GT(stats.accepted_tokens, 2 * 60);
  }
}

TEST(DraftProposer, OtherModelsAreRightNowAndThen) {
  const auto loaded = tiny("llama");
  const EngineStats alike =
      expect_same_answers(loaded, tiny("llama", DType::bf16), drafted_requests(*loaded));
  EXPECT_GT(alike.accepted_tokens, alike.guessed_tokens / 2);
  EXPECT_LT(alike.accepted_tokens, alike.guessed_tokens);
  const EngineStats other = expect_same_answers(loaded, tiny("gpt2"), drafted_requests(*loaded));
  EXPECT_GT(other.guessed_tokens, 0);
  EXPECT_LT(other.accepted_tokens, other.guessed_tokens / 2);
}

TEST(DraftProposer, PreemptedSequencesAreReadAgain) {
  const auto loaded = tiny("llama");
  std::vector<Request> requests;
  for (uint64_t seed = 1; seed <= 4; ++seed) requests.push_back(request_of(*loaded, 30, seed, 150));
  const EngineStats stats =
      expect_same_answers(loaded, loaded, requests, {.context = 256, .cache_tokens = 256});
  EXPECT_GT(stats.preempted, 0);
  EXPECT_GT(stats.accepted_tokens, 0);
}

TEST(DraftProposer, RefusesOtherTokens) {
  const auto loaded = tiny("llama");
  const auto refused = [&](const text::Tokenizer& tokenizer) {
    model::ModelConfig config = model::tiny_config("llama");
    config.vocab_size = tokenizer.vocab_size();
    const auto draft = std::make_shared<const infer::LoadedModel>(
        infer::LoadedModel{{.tokenizer = tokenizer}, model::Decoder::create(config, 1).value()});
    const auto engine = Engine::create(loaded, {.speculation = drafted_by(draft)});
    return engine.ok() ? Error() : engine.error();
  };
  const Error fewer = refused(infer::byte_tokenizer(false));
  EXPECT_EQ(fewer.code, ErrorCode::conflict);
  EXPECT_THAT(fewer.message, HasSubstr("the draft model has 257 tokens"));
  text::BpeTrainOptions options;
  options.vocab_size = loaded->tokenizer.vocab_size();
  for (int64_t i = 0; i < options.vocab_size - 257; ++i)
    options.special_tokens.push_back("<" + std::to_string(i) + ">");
  std::optional<std::string_view> text = "text";
  const auto other =
      text::train_bpe([&] { return std::exchange(text, std::nullopt); }, options, null_progress());
  ASSERT_TRUE(other.ok()) << other.error().message;
  EXPECT_THAT(refused(*other).message, HasSubstr("' in the draft model, and '"));
}

TEST(DraftProposer, GuessesNothingPastItsOwnPositions) {
  const auto loaded = tiny("llama");
  model::ModelConfig config = loaded->model.config();
  config.max_positions = 100;
  const auto draft = std::make_shared<const infer::LoadedModel>(
      infer::LoadedModel{{.tokenizer = loaded->tokenizer}, model::Decoder::create(config, 3).value()});
  const EngineStats stats = expect_same_answers(loaded, draft, drafted_requests(*loaded));
  EXPECT_GT(stats.accepted_tokens, 0);
}

}  // namespace
}  // namespace quern::engine
