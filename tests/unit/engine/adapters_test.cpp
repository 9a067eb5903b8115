// Requests of several adapters in one engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"
#include "ops/linear.h"
#include "unit/engine/engine_client.h"

namespace quern::engine {
namespace {

std::shared_ptr<const infer::LoadedAdapter> adapter_of(const infer::LoadedModel& loaded, uint64_t id,
                                                       bool magnitudes = false) {
  const formats::PeftConfig settings{.rank = 2 + static_cast<int64_t>(id),
                                     .magnitudes = magnitudes,
                                     .targets = {std::string(model::kAllLinear)}};
  nn::LoraAdapter weights = model::make_adapter(loaded.model, loaded.model.config(), settings, id).value();
  weights.visit([&](const std::string& name, nn::Parameter& p) {
    Rng rng(id, name.size());
    Tensor value(p.shape(), DType::f32);
    for (float& number : value.span<float>()) number = static_cast<float>(0.3 * rng.normal());
    if (p.is_matrix()) p.assign(value);
  });
  weights.freeze();
  return std::make_shared<const infer::LoadedAdapter>(
      infer::LoadedAdapter{"adapter", "", settings, &loaded.model, id, std::move(weights)});
}

class Adapters : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Families, Adapters, testing::Values("gpt2", "llama", "mixtral"));

// Sampled answers of each request alone, beside those of other adapters and of none, and in small pieces.
TEST_P(Adapters, AnswerAsTheyDoAlone) {
  const auto loaded = tiny(GetParam());
  const std::shared_ptr<const infer::LoadedAdapter> adapters[] = {nullptr, adapter_of(*loaded, 1),
                                                                  adapter_of(*loaded, 2, true)};
  std::vector<Request> requests;
  for (uint64_t i = 0; i < 6; ++i) {
    // The same texts for every adapter: nothing that one remembers is the other's.
    requests.push_back(request_of(*loaded, 80 + 31 * static_cast<int64_t>(i / 3), 1 + i / 3, 40));
    requests.back().adapter = adapters[i % 3];
  }
  std::vector<Answer> alone;
  for (const Request& request : requests) {
    Client client(loaded);
    ASSERT_TRUE(client.ask(1, request).ok());
    client.all();
    alone.push_back(client.answers[1]);
  }
  EXPECT_NE(alone[0].text, alone[1].text);
  EXPECT_NE(alone[1].text, alone[2].text);
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
  const_cast<model::Decoder&>(loaded->model).set_adapter({adapter, &adapter->weights});
  const ops::BatchInvariant invariant;
  infer::Session session(loaded->model, 0);
  const auto expected = infer::complete(session, loaded->tokenizer, request.prompt, request.options);
  ASSERT_TRUE(expected.ok());
  EXPECT_EQ(client.answers[1].text, expected->text);
}

}  // namespace
}  // namespace quern::engine
