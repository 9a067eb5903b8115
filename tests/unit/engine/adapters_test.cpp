// Requests of several adapters in one engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"
#include "model/lora.h"
#include "ops/linear.h"
#include "unit/engine/engine_client.h"

namespace quern::engine {
namespace {

std::shared_ptr<const infer::LoadedAdapter> adapter_of(const infer::LoadedModel& loaded, uint64_t id,
                                                       bool magnitudes = false) {
  const formats::PeftConfig settings{.rank = 2 + static_cast<int64_t>(id),
                                     .magnitudes = magnitudes,
                                     .targets = {std::string(model::kAllLinear)}};
  nn::LoraAdapter weights = model::make_lora(loaded.model, loaded.model.config(), settings, id).value();
  weights.visit([&](const std::string& name, nn::Parameter& p) {
    Rng rng(id, name.size());
    Tensor value(p.shape(), DType::f32);
    for (float& number : value.span<float>()) number = static_cast<float>(0.3 * rng.normal());
    if (p.is_matrix()) p.assign(value);
  });
  weights.freeze();
  return std::make_shared<const infer::LoadedAdapter>(
      infer::LoadedAdapter{"adapter", "", settings, &loaded.model, id,
                           std::make_unique<const nn::LoraAdapter>(std::move(weights))});
}

// One of random values.
std::shared_ptr<const infer::LoadedAdapter> random_of(const infer::LoadedModel& loaded, uint64_t id,
                                                      const formats::PeftConfig& settings) {
  std::unique_ptr<nn::Adapter> weights = model::make_adapter(loaded.model, settings, {}, id).value();
  weights->visit([&](const std::string& name, nn::Parameter& p) {
    Rng rng(id, name.size());
    Tensor value(p.shape(), DType::f32);
    for (float& number : value.span<float>()) number = static_cast<float>(0.3 * rng.normal());
    p.assign(value);
  });
  weights->freeze();
  return std::make_shared<const infer::LoadedAdapter>(
      infer::LoadedAdapter{"adapter", "", settings, &loaded.model, id, std::move(weights)});
}

std::shared_ptr<const infer::LoadedAdapter> virtual_of(const infer::LoadedModel& loaded, uint64_t id,
                                                       formats::PeftMethod method, int64_t count) {
  return random_of(loaded, id, {.method = method, .tokens = {.count = count}});
}

std::shared_ptr<const infer::LoadedAdapter> bottleneck_of(const infer::LoadedModel& loaded, uint64_t id,
                                                          bool reads_stream) {
  return random_of(
      loaded, id,
      {.method = formats::PeftMethod::bottleneck, .bottleneck = {.width = 4, .reads_stream = reads_stream}});
}

class Adapters : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Families, Adapters, testing::Values("gpt2", "llama", "mixtral"));

// Sampled answers of each request alone, beside those of other adapters and of none, and in small pieces.
TEST_P(Adapters, AnswerAsTheyDoAlone) {
  const auto loaded = tiny(GetParam());
  // Those of equal counts of virtual tokens have the same ids, and keys of their own.
  const std::shared_ptr<const infer::LoadedAdapter> adapters[] = {
      nullptr,
      adapter_of(*loaded, 1),
      virtual_of(*loaded, 3, formats::PeftMethod::prompt, 70),
      adapter_of(*loaded, 2, true),
      virtual_of(*loaded, 4, formats::PeftMethod::prompt, 70),
      virtual_of(*loaded, 5, formats::PeftMethod::prefix, 9),
      bottleneck_of(*loaded, 6, false),
      bottleneck_of(*loaded, 7, true)};
  constexpr uint64_t kEach = std::size(adapters);
  std::vector<Request> requests;
  for (uint64_t i = 0; i < 2 * kEach; ++i) {
    // The same texts for every adapter: nothing that one remembers is the other's.
    requests.push_back(request_of(*loaded, 80 + 31 * static_cast<int64_t>(i / kEach), 1 + i / kEach, 40));
    requests.back().adapter = adapters[i % kEach];
  }
  std::vector<Answer> alone;
  for (const Request& request : requests) {
    Client client(loaded);
    ASSERT_TRUE(client.ask(1, request).ok());
    client.all();
    alone.push_back(client.answers[1]);
  }
  EXPECT_NE(alone[0].text, alone[1].text);
  for (size_t i = 0; i < kEach; ++i)
    for (size_t j = 0; j < i; ++j) EXPECT_NE(alone[i].text, alone[j].text) << i << ' ' << j;
  for (const EngineOptions& options : {EngineOptions{}, EngineOptions{.limits = {.tokens = 16}}}) {
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
  }
}

TEST(Adapter, OfAModelThatIsNotTheEnginesIsRefused) {
  const auto loaded = tiny("llama"), other = tiny("llama");
  Client client(loaded);
  Request request = request_of(*loaded, 20, 1, 4);
  request.adapter = adapter_of(*other, 1);
  const Result<void> asked = client.ask(1, request);
  ASSERT_FALSE(asked.ok());
  EXPECT_EQ(asked.error().code, ErrorCode::conflict);
}

// What `quern generate --adapter` does.
TEST(Adapter, OfTheWholeModelIsThatOfARequest) {
  const auto loaded = tiny("llama");
  const auto adapter = adapter_of(*loaded, 1);
  Request request = request_of(*loaded, 30, 1, 20);
  request.adapter = adapter;
  Client client(loaded);
  ASSERT_TRUE(client.ask(1, request).ok());
  client.all();
  const_cast<model::Decoder&>(loaded->model).set_adapter({adapter, adapter->weights.get()});
  const ops::BatchInvariant invariant;
  infer::Session session(loaded->model, 0);
  const auto expected = infer::complete(session, loaded->tokenizer, request.prompt, request.options);
  ASSERT_TRUE(expected.ok());
  EXPECT_EQ(client.answers[1].text, expected->text);
}

class VirtualTokens : public testing::TestWithParam<formats::PeftMethod> {
 protected:
  std::shared_ptr<const infer::LoadedModel> loaded_ = tiny("llama");
  std::shared_ptr<const infer::LoadedAdapter> adapter_ = virtual_of(*loaded_, 3, GetParam(), 20);
};
INSTANTIATE_TEST_SUITE_P(Methods, VirtualTokens,
                         testing::Values(formats::PeftMethod::prompt, formats::PeftMethod::prefix));

TEST_P(VirtualTokens, OfTheWholeModelAreThoseOfARequest) {
  Request request = request_of(*loaded_, 30, 1, 20);
  request.adapter = adapter_;
  Client client(loaded_);
  ASSERT_TRUE(client.ask(1, request).ok());
  client.all();
  EXPECT_EQ(client.answers[1].usage.prompt_tokens, 30);
  const_cast<model::Decoder&>(loaded_->model).set_adapter({adapter_, adapter_->weights.get()});
  const ops::BatchInvariant invariant;
  infer::Session session(loaded_->model, 0);
  EXPECT_EQ(session.context(), loaded_->model.config().max_positions - 20);
  // Again after another text: the session goes back to its virtual tokens.
  for (int round = 0; round < 2; ++round) {
    const auto expected = infer::complete(session, loaded_->tokenizer, request.prompt, request.options);
    ASSERT_TRUE(expected.ok());
    EXPECT_EQ(client.answers[1].text, expected->text);
    ASSERT_TRUE(session.set_tokens(request_of(*loaded_, 5, 9, 1).prompt).ok());
  }
}

// Guesses, repetition and prompts that are scored see the text alone.
TEST_P(VirtualTokens, AreNoTextForWhoeverReadsIt) {
  Request request = request_of(*loaded_, 30, 1, 30);
  request.options.sampling.repetition_penalty = 1.3;
  request.options.rules.no_repeat_ngram = 1;
  request.prompt_logprobs = true;
  request.adapter = adapter_;
  Client plain(loaded_);
  ASSERT_TRUE(plain.ask(1, request).ok());
  plain.all();
  ASSERT_EQ(plain.answers[1].prompt.size(), request.prompt.size());
  for (size_t i = 0; i < request.prompt.size(); ++i)
    EXPECT_EQ(plain.answers[1].prompt[i].chosen.id, request.prompt[i]);
  Client guessing(loaded_, {.speculation = {.kind = SpeculationOptions::Kind::draft, .draft = loaded_}});
  ASSERT_TRUE(guessing.ask(1, request).ok());
  guessing.all();
  expect_same(guessing.answers[1], plain.answers[1], "guessed");
}

// What one adapter's blocks remember is not the other's, nor the bare model's, though the tokens have the same ids.
TEST_P(VirtualTokens, ShareNoBlocksWithOtherAdapters) {
  const auto other = virtual_of(*loaded_, 4, GetParam(), 20);
  Client client(loaded_);
  SequenceId id = 0;
  const auto reused = [&](std::shared_ptr<const infer::LoadedAdapter> adapter) {
    Request request = request_of(*loaded_, 150, 1, 2);
    request.adapter = std::move(adapter);
    EXPECT_TRUE(client.ask(++id, request).ok());
    client.all();
    return client.answers[id].usage.reused_tokens;
  };
  EXPECT_EQ(reused(adapter_), 0);
  EXPECT_EQ(reused(other), 0);
  EXPECT_EQ(reused(nullptr), 0);
  EXPECT_GT(reused(adapter_), 100);
  EXPECT_GT(reused(other), 100);
}

TEST_P(VirtualTokens, TakeRoomInTheContext) {
  Client client(loaded_, {.context = 64});
  Request request = request_of(*loaded_, 44, 1, 2);
  EXPECT_TRUE(client.engine->check(request).ok());
  request.adapter = adapter_;
  const Result<void> checked = client.engine->check(request);
  ASSERT_FALSE(checked.ok());
  EXPECT_THAT(
      checked.error().message,
      testing::HasSubstr("44 tokens beside the 20 virtual ones of its adapter, and the context of 64"));
  // A context that shifts keeps them.
  request = request_of(*loaded_, 30, 1, 60);
  request.options.context_shift = true;
  request.adapter = adapter_;
  ASSERT_TRUE(client.ask(1, request).ok());
  client.all();
  EXPECT_EQ(client.answers[1].usage.generated_tokens, 60);
}

}  // namespace
}  // namespace quern::engine
