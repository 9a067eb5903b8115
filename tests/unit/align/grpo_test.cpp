// Learning from rewards of own answers, through the trainer.
#include "align/grpo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "model/lora.h"
#include "support/parameters.h"
#include "train/trainer.h"
#include "unit/align/tiny_policy.h"

namespace quern::align {
namespace {

namespace fs = std::filesystem;

using test::distance, test::masters, test::take_gradients, test::NamedTensors;

struct Setting {
  GrpoOptions grpo{.group = 6};
  AnswerRows rows{.sequence = 96, .rows = 4};
  std::function<double(std::string_view)> reward = letters;
};

Grpo grpo_of(const std::shared_ptr<infer::LoadedModel>& loaded, const Setting& setting,
             std::optional<Reference> reference = std::nullopt) {
  Rewards rewards;
  rewards.add("letters", 1.0, std::make_unique<TextReward>(setting.reward));
  return Grpo(
      AnswerSource::create(loaded, {tiny_prompts(*loaded, 12), tiny_prompts(*loaded, 3)}, std::move(rewards),
                           {.max_tokens = 8, .at_once = 16, .seed = 1}, setting.rows, {.batch = 4, .seed = 1})
          .value(),
      std::move(reference), setting.grpo);
}

// Rows, packing and recomputation change the order of sums alone.
TEST(Grpo, LearnsTheSameHoweverAStepIsCut) {
  for (const Aggregation how : {Aggregation::grpo, Aggregation::dapo, Aggregation::dr_grpo}) {
    NamedTensors wanted;
    for (const AnswerRows& rows :
         {AnswerRows{96, 24, false}, AnswerRows{96, 1, true}, AnswerRows{40, 2, true}}) {
      const auto loaded = tiny_policy();
      Setting setting{.rows = rows};
      setting.grpo.aggregation = how;
      Grpo grpo = grpo_of(loaded, setting);
      const train::StepLoss step = grpo.accumulate({}).value();
      EXPECT_LE(figure(step.figures, "rollout_gap"), 1e-5);
      EXPECT_EQ(figure(step.figures, "clipped"), 0.0);
      const NamedTensors got = take_gradients(loaded->model);
      if (wanted.empty()) wanted = got;
      EXPECT_LE(distance(got, wanted), 2e-6);
    }
  }
}

// By hand: at the first update the ratio is 1, so that the gradient is that of sum share * -A log p.
TEST(Grpo, GoesUpTheGradientOfLikelihoodWeighedByAdvantages) {
  const auto loaded = tiny_policy();
  Grpo grpo = grpo_of(loaded, {});
  ASSERT_TRUE(grpo.accumulate({}).ok());
  const NamedTensors got = take_gradients(loaded->model);

  auto rollouts = Rollouts::create(loaded, {.max_tokens = 8, .at_once = 16, .seed = 1}, 6).value();
  const PromptSet prompts = tiny_prompts(*loaded, 12);
  std::vector<std::span<const int32_t>> asked;
  for (int64_t i = 0; i < 4; ++i) asked.emplace_back(prompts[prompts.drawn(i, 1)].tokens);
  const auto answers = rollouts.sample(asked, 6, 0).value();
  std::vector<double> advantages;
  std::vector<data::TokenDocument> documents;
  for (size_t i = 0; i < answers.size(); i += 6) {
    std::vector<double> rewards;
    for (size_t j = i; j < i + 6; ++j) {
      rewards.push_back(letters(answers[j].text));
      data::TokenDocument& document = documents.emplace_back();
      document.tokens.assign(asked[i / 6].begin(), asked[i / 6].end());
      document.learnt.assign(document.tokens.size(), 0);
      document.tokens.insert(document.tokens.end(), answers[j].tokens.begin(), answers[j].tokens.end());
      document.learnt.resize(document.tokens.size(), 1);
    }
    const auto own = group_advantages(rewards, true);
    advantages.insert(advantages.end(), own.begin(), own.end());
  }
  const auto sampler = data::SupervisedSampler::create(
                           data::TokenDataset::from_examples(data::TokenContent::supervised, documents),
                           {.sequence = 96, .rows = 24, .packed = false, .shuffle = false})
                           .value();
  const data::SupervisedStep step = sampler.step(0, 24);
  ASSERT_EQ(step.micro_batches.size(), 1u);
  const data::SupervisedBatch& batch = step.micro_batches.front();
  const Answers learnt(loaded->model, batch, nn::ForwardContext::packed(batch.positions));
  std::vector<double> d_sums;
  for (const data::SupervisedSequence& sequence : batch.sequences)
    d_sums.push_back(-advantages[static_cast<size_t>(sequence.document)] / static_cast<double>(step.targets));
  learnt.backward_sums(d_sums);
  EXPECT_LE(distance(got, take_gradients(loaded->model)), 2e-6);
}

TEST(Grpo, AnswersEqualInWorthTeachNothing) {
  const auto loaded = tiny_policy();
  Grpo grpo = grpo_of(loaded, {.reward = [](std::string_view) { return 0.3; }});
  const train::StepLoss step = grpo.accumulate({}).value();
  EXPECT_EQ(step.loss, 0.0);
  EXPECT_EQ(figure(step.figures, "flat_groups"), 1.0);
  for (const auto& [name, gradient] : take_gradients(loaded->model)) {
    for (const float value : gradient.span<float>()) ASSERT_EQ(value, 0.0f) << name;
  }
}

class GrpoRuns : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
  }

  struct Run {
    std::shared_ptr<infer::LoadedModel> loaded;
    std::unique_ptr<nn::LoraAdapter> adapter;
    int64_t resumed_from = -1;
    Result<train::TrainSummary> summary = make_error(ErrorCode::internal, "never ran");
  };

  // With an adapter, or all of the model.
  Run train(const std::string& name, const Setting& setting, int64_t steps, bool adapts, bool resume = false,
            int64_t stop_after = 0) {
    Run run;
    run.loaded = tiny_policy();
    std::unique_ptr<train::Trainee> trainee;
    std::optional<Reference> reference;
    if (adapts) {
      const formats::PeftConfig peft{.base = "base", .rank = 4, .alpha = 8.0, .targets = {"all-linear"}};
      run.loaded->model.visit([](const std::string&, nn::Parameter& p) { p.set_trainable(false); });
      run.adapter = std::make_unique<nn::LoraAdapter>(
          model::make_lora(run.loaded->model, run.loaded->model.config(), peft, 1).value());
      trainee = std::make_unique<train::AdapterOfModel>(run.loaded->model, *run.adapter, peft);
      if (setting.grpo.loss.beta > 0.0) reference = Reference::without(run.loaded->model, *run.adapter);
    } else {
      trainee = std::make_unique<train::WholeModel>(run.loaded->model);
    }
    train::TrainOptions options;
    options.steps = steps;
    options.schedule.lr = 1e-2;
    options.schedule.warmup = 0;
    options.optimizer.weight_decay = 0.0;
    options.eval_every = 0;
    options.save_every = 0;
    options.log_every = 1;
    options.finish().value();
    train::TrainHooks hooks;
    int64_t done = 0;
    if (stop_after > 0) hooks.should_stop = [&done, stop_after] { return ++done >= stop_after; };
    train::Trainer trainer(std::move(trainee),
                           std::make_unique<Grpo>(grpo_of(run.loaded, setting, std::move(reference))),
                           options, root_ / name, hooks);
    if (resume) run.resumed_from = trainer.resume().value();
    run.summary = trainer.run();
    return run;
  }

  fs::path root_;
};

TEST_F(GrpoRuns, RaiseTheReward) {
  const auto untouched = tiny_policy();
  const double before = grpo_of(untouched, {}).evaluate(0).value()->figures.front().second;
  for (const bool adapts : {false, true}) {
    const Run run = train(adapts ? "adapter" : "model", {}, 40, adapts);
    ASSERT_TRUE(run.summary.ok()) << run.summary.error().message;
    ASSERT_TRUE(run.summary->evaluation.has_value());
    const double after = run.summary->evaluation->figures.front().second;
    EXPECT_EQ(run.summary->evaluation->loss, -after);
    EXPECT_LT(before, 0.5);
    EXPECT_GT(after, 0.9) << adapts;
  }
}

// Three updates learn from the same answers: the seventh is in the middle of them.
TEST_F(GrpoRuns, GoOnToTheSameBits) {
  Setting setting;
  setting.grpo.updates = 3;
  setting.grpo.loss.beta = 0.05;
  const Run whole = train("whole", setting, 11, true);
  const Run stopped = train("parts", setting, 11, true, false, 7);
  EXPECT_FALSE(stopped.summary.ok());
  const Run resumed = train("parts", setting, 11, true, true);
  EXPECT_EQ(resumed.resumed_from, 7);
  EXPECT_EQ(distance(masters(*resumed.adapter), masters(*whole.adapter)), 0.0);
}

// A reward that fails, as commands do, ends the run with its message after the steps before are saved.
TEST_F(GrpoRuns, GoOnAfterARewardFailed) {
  const Run whole = train("whole", {}, 6, false);
  Setting failing;
  int64_t scored = 0;
  failing.reward = [&scored](std::string_view text) {
    return ++scored > 24 * 4 ? NAN : letters(text);  // in the fifth step
  };
  const Run failed = train("parts", failing, 6, false);
  ASSERT_FALSE(failed.summary.ok());
  EXPECT_THAT(failed.summary.error().message, testing::HasSubstr("reward letters: expected a finite number"));
  EXPECT_THAT(failed.summary.error().hint, testing::HasSubstr("--resume goes on after step 4"));
  const Run resumed = train("parts", {}, 6, false, true);
  EXPECT_EQ(resumed.resumed_from, 4);
  EXPECT_EQ(distance(masters(resumed.loaded->model), masters(whole.loaded->model)), 0.0);
}

}  // namespace
}  // namespace quern::align
