#include "align/answer_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "unit/align/tiny_policy.h"

namespace quern::align {
namespace {

Result<AnswerSource> source_of(const std::shared_ptr<infer::LoadedModel>& loaded, double weight = 1.0,
                               const RolloutOptions& rollout = {.max_tokens = 4, .at_once = 16, .seed = 1}) {
  Rewards rewards;
  rewards.add("letters", weight, std::make_unique<TextReward>(letters));
  return AnswerSource::create(loaded, {tiny_prompts(*loaded, 5), std::nullopt}, std::move(rewards), rollout,
                              {.sequence = 96}, {.batch = 3, .seed = 1});
}

TEST(AnswerSource, AsksEachPromptOnceInAnEpoch) {
  const auto loaded = tiny_policy();
  AnswerSource source = source_of(loaded).value();
  std::multiset<int64_t> asked;
  for (const size_t count : {3, 2}) {
    const AnswerSource::Round round = source.next(2).value();
    EXPECT_EQ(round.prompts.size(), count);
    EXPECT_EQ(round.answers.size(), 2 * count);
    EXPECT_EQ(round.scores.total.size(), 2 * count);
    asked.insert(round.prompts.begin(), round.prompts.end());
    source.finish(round);
  }
  EXPECT_EQ(asked, (std::multiset<int64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(source.epochs(), 1.0);
}

// What was not finished is asked again, with the same answers; what was is not, also after a restart.
TEST(AnswerSource, GoesOnBehindFinishedRoundsAlone) {
  const auto loaded = tiny_policy();
  AnswerSource source = source_of(loaded).value();
  const AnswerSource::Round first = source.next(1).value(), again = source.next(1).value();
  EXPECT_EQ(again.prompts, first.prompts);
  EXPECT_EQ(again.answers[0].tokens, first.answers[0].tokens);
  EXPECT_EQ(source.last().prompt, "");
  source.finish(first);
  EXPECT_EQ(source.last().prompt, "say " + std::to_string(first.prompts.back()) + "\n");
  EXPECT_THAT(source.last().text, testing::HasSubstr(first.answers.back().text));
  const AnswerSource::Round second = source.next(1).value();
  EXPECT_NE(second.prompts, first.prompts);
  AnswerSource restarted = source_of(loaded).value();
  restarted.restore(source.state());
  const AnswerSource::Round resumed = restarted.next(1).value();
  EXPECT_EQ(resumed.prompts, second.prompts);
  EXPECT_EQ(resumed.answers[0].tokens, second.answers[0].tokens);
}

// A run does not go on with rewards weighed otherwise.
TEST(AnswerSource, IsAnotherWithOtherWeights) {
  const auto loaded = tiny_policy();
  train::Fingerprint one, two, same;
  source_of(loaded, 1.0).value().describe(one);
  source_of(loaded, 0.5).value().describe(two);
  source_of(loaded, 1.0).value().describe(same);
  EXPECT_EQ(one, same);
  EXPECT_NE(one, two);
}

TEST(AnswerSource, RefusesTemperaturesThatNobodyCanLearnAt) {
  const auto source =
      source_of(tiny_policy(DType::f32, "gemma2"), 1.0, {.max_tokens = 8, .temperature = 0.5});
  ASSERT_FALSE(source.ok());
  EXPECT_THAT(source.error().message, testing::HasSubstr("rollout.temperature is 0.5"));
}

}  // namespace
}  // namespace quern::align
