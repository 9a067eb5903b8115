// Answers of the model that is being trained: as training sees them, as often as asked, of the weights of now.
#include "align/rollout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "align/answers.h"
#include "autograd/graph.h"
#include "data/supervised_sampler.h"
#include "unit/align/tiny_policy.h"

namespace quern::align {
namespace {

constexpr RolloutOptions kShort{.max_tokens = 24, .at_once = 8, .seed = 5};

// The largest difference of log-probabilities as they were drawn and as a training pass has them.
double gap(const infer::LoadedModel& loaded, const PromptSet& prompts, std::span<const Rollout> rollouts,
           size_t each, double temperature) {
  std::vector<data::TokenDocument> documents;
  for (size_t i = 0; i < rollouts.size(); ++i) {
    data::TokenDocument& document = documents.emplace_back();
    document.tokens = prompts[static_cast<int64_t>(i / each)].tokens;
    document.learnt.assign(document.tokens.size(), 0);
    document.tokens.insert(document.tokens.end(), rollouts[i].tokens.begin(), rollouts[i].tokens.end());
    document.learnt.resize(document.tokens.size(), 1);
  }
  const auto sampler = data::SupervisedSampler::create(
                           data::TokenDataset::from_examples(data::TokenContent::supervised, documents),
                           {.sequence = 96, .rows = 2, .shuffle = false})
                           .value();
  double most = 0.0;
  for (const data::SupervisedBatch& batch :
       sampler.step(0, static_cast<int64_t>(documents.size())).micro_batches) {
    const Answers answers(loaded.model, batch, nn::ForwardContext::packed(batch.positions), temperature);
    for (size_t i = 0; i < batch.sequences.size(); ++i) {
      const std::vector<double> learnt = answers.token_log_probs(i);
      const auto& drawn = rollouts[static_cast<size_t>(batch.sequences[i].document)].log_probs;
      EXPECT_EQ(learnt.size(), drawn.size());
      for (size_t j = 0; j < learnt.size(); ++j) most = std::max(most, std::fabs(learnt[j] - drawn[j]));
    }
  }
  return most;
}

TEST(Rollouts, HaveTheLogProbabilitiesThatTrainingHas) {
  for (const char* family : {"llama", "gpt2", "mixtral"}) {
    const auto loaded = tiny_policy(DType::f32, family);
    const PromptSet prompts = tiny_prompts(*loaded, 5);
    for (const double temperature : {1.0, 0.7}) {
      RolloutOptions options = kShort;
      options.temperature = temperature;
      auto rollouts = Rollouts::create(loaded, options, prompts.longest()).value();
      const auto answers = rollouts.sample(tokens_of(prompts), 4, 0).value();
      ASSERT_EQ(answers.size(), 20u);
      EXPECT_LE(gap(*loaded, prompts, answers, 4, temperature), 1e-5) << family << " at " << temperature;
    }
  }
}

TEST(Rollouts, EndWithTheEndTokenOrAreCutOff) {
  const text::Tokenizer tokenizer = infer::byte_tokenizer();
  std::vector<int32_t> script = tokenizer.encode("xyzabc");
  script.push_back(0);
  script.resize(64, 0);
  const auto loaded = std::make_shared<const infer::LoadedModel>(infer::LoadedModel{
      {.tokenizer = tokenizer, .end_tokens = {0}}, infer::scripted_model(script, tokenizer.vocab_size())});
  const std::vector<int32_t> prompt = tokenizer.encode("xyz_");  // what follows is said at the place of "a"
  const std::span<const int32_t> asked = prompt;
  auto rollouts = Rollouts::create(loaded, {.max_tokens = 10}, 4).value();
  const Rollout whole = rollouts.greedy(std::span(&asked, 1)).value().front();
  EXPECT_EQ(whole.text, "abc");
  EXPECT_TRUE(whole.ended);
  ASSERT_EQ(whole.tokens.size(), 4u);
  EXPECT_EQ(whole.tokens.back(), 0);
  EXPECT_EQ(whole.log_probs.size(), 4u);
  EXPECT_LT(whole.log_probs.back(), 0.0);

  auto shorter = Rollouts::create(loaded, {.max_tokens = 2}, 4).value();
  const Rollout cut = shorter.greedy(std::span(&asked, 1)).value().front();
  EXPECT_EQ(cut.text, "ab");
  EXPECT_FALSE(cut.ended);
  EXPECT_EQ(cut.tokens.size(), 2u);
}

TEST(Rollouts, AreDrawnBySeedRoundPromptAndSample) {
  const auto loaded = tiny_policy();
  const PromptSet prompts = tiny_prompts(*loaded, 3);
  auto rollouts = Rollouts::create(loaded, kShort, prompts.longest()).value();
  const auto first = rollouts.sample(tokens_of(prompts), 3, 7).value();
  const auto other = rollouts.sample(tokens_of(prompts), 3, 8).value();
  const auto again = rollouts.sample(tokens_of(prompts), 3, 7).value();
  // Alone, one at a time: no company changes an answer.
  auto alone =
      Rollouts::create(loaded, {.max_tokens = 24, .at_once = 1, .seed = 5}, prompts.longest()).value();
  const auto narrow = alone.sample(tokens_of(prompts), 3, 7).value();
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].tokens, again[i].tokens);
    EXPECT_EQ(first[i].log_probs, again[i].log_probs);
    EXPECT_EQ(first[i].tokens, narrow[i].tokens);
    EXPECT_EQ(first[i].log_probs, narrow[i].log_probs);
    EXPECT_NE(first[i].tokens, other[i].tokens);
    for (size_t j = 0; j < i; ++j) EXPECT_NE(first[i].tokens, first[j].tokens);
  }
}

// What was remembered of a prompt is of other weights.
TEST(Rollouts, FollowTheWeights) {
  const auto loaded = tiny_policy();
  const PromptSet prompts = tiny_prompts(*loaded, 2);
  auto rollouts = Rollouts::create(loaded, kShort, prompts.longest()).value();
  const auto before = rollouts.greedy(tokens_of(prompts)).value();
  loaded->model.visit([](const std::string& name, nn::Parameter& parameter) {
    if (!name.ends_with("v.weight")) return;
    for (float& value : parameter.master().span<float>()) value = -value;
  });
  const auto after = rollouts.greedy(tokens_of(prompts)).value();
  auto fresh = Rollouts::create(loaded, kShort, prompts.longest()).value();
  const auto wanted = fresh.greedy(tokens_of(prompts)).value();
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(after[i].log_probs, wanted[i].log_probs);
    EXPECT_NE(after[i].log_probs, before[i].log_probs);
  }
}

TEST(Rollouts, SayWhatDoesNotFit) {
  const auto loaded = tiny_policy();
  const auto rollouts = Rollouts::create(loaded, {.max_tokens = 90}, 20);
  ASSERT_FALSE(rollouts.ok());
  EXPECT_THAT(rollouts.error().message, testing::HasSubstr("has 96 positions"));
}

}  // namespace
}  // namespace quern::align
