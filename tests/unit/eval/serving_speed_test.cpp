#include "eval/serving_speed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/infer/scripted_model.h"
#include "unit/model/tiny_models.h"

namespace quern::eval {
namespace {

using testing::HasSubstr;

std::shared_ptr<const infer::LoadedModel> tiny_server_model() {
  model::ModelConfig config = model::tiny_config("llama");
  const text::Tokenizer tokenizer = infer::byte_tokenizer();
  config.vocab_size = tokenizer.vocab_size();
  config.max_positions = 400;
  return std::make_shared<const infer::LoadedModel>(infer::LoadedModel{
      {.tokenizer = tokenizer, .end_tokens = {0}}, model::Decoder::create(config, 3).value()});
}

ServingSpeedOptions quick_serving() {
  return {.clients = {1, 3}, .prompt = 20, .generate = 30, .requests = 4};
}

TEST(ServingSpeed, AnswersAllRequestsOfEveryTest) {
  const auto tests = measure_serving_speed(tiny_server_model(), quick_serving(), null_progress()).value();
  ASSERT_EQ(tests.size(), 2u);
  EXPECT_EQ(tests[1].clients, 3);
  EXPECT_EQ(tests[1].first_token.values.size(), 4u);
  EXPECT_GE(tests[1].generated_tokens, 4 * 15);
  EXPECT_LE(tests[1].computed_prompt_tokens, tests[1].prompt_tokens);
  EXPECT_FALSE(tests[1].speculation);
}

TEST(ServingSpeed, ComparesAnswersWithAndWithoutGuesses) {
  ServingSpeedOptions options = quick_serving();
  options.repeat = "to be or not to be, that is the question: whether 'tis nobler in the mind";
  options.generate = 60;
  options.engine.speculation.kind = engine::SpeculationOptions::Kind::ngram;
  const auto tests = measure_serving_speed(tiny_server_model(), options, null_progress()).value();
  for (const ServingTest& test : tests) {
    ASSERT_TRUE(test.speculation);
    EXPECT_EQ(test.speculation->differing, 0);
    EXPECT_GE(test.speculation->guessed_tokens, test.speculation->accepted_tokens);
    EXPECT_LE(test.speculation->passes, test.speculation->passes_without);
    EXPECT_GT(test.speculation->tokens_per_second_without, 0.0);
  }
}

TEST(ServingSpeed, RefusesWhatCannotBe) {
  const auto refused = [](const ServingSpeedOptions& options) {
    const auto tests = measure_serving_speed(tiny_server_model(), options, null_progress());
    return tests.ok() ? std::string() : tests.error().message;
  };
  ServingSpeedOptions options = quick_serving();
  options.clients = {0};
  EXPECT_THAT(refused(options), HasSubstr("at least 1"));
  options = quick_serving();
  options.prompt = 500;
  EXPECT_THAT(refused(options), HasSubstr("the context holds 400"));
  options = quick_serving();
  options.repeat = "short";
  EXPECT_THAT(refused(options), HasSubstr("passages take up to 30 tokens, and the text has 5"));
}

}  // namespace
}  // namespace quern::eval
