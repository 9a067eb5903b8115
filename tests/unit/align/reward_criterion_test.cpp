// Reward models through the trainer: whole, and as an adapter with a score.
#include "align/reward_criterion.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "align/reward_trainee.h"
#include "autograd/graph.h"
#include "base/rng.h"
#include "model/load.h"
#include "model/lora.h"
#include "support/parameters.h"
#include "support/temp_dir.h"
#include "train/example_objective.h"
#include "train/trainer.h"
#include "unit/train/tiny_tuning.h"

namespace quern::align {
namespace {

namespace fs = std::filesystem;

constexpr int32_t kPad = 22;
using test::distance, test::masters;

model::ModelConfig tiny_config() {
  model::ModelConfig config = train::tiny_tuning_config();
  config.pad_token = kPad;
  return config;
}

std::shared_ptr<model::RewardModel> tiny_model() {
  auto decoder = std::make_shared<model::Decoder>(model::Decoder::create(tiny_config(), 3).value());
  decoder->drop_head();
  auto reward = std::make_shared<model::RewardModel>(decoder);
  // Not the same number for all channels, of which a norm leaves the sum 0.
  Tensor score({1, 16}, DType::f32);
  Rng rng(4, 0);
  for (float& value : score.span<float>()) value = static_cast<float>(0.3 * rng.normal());
  reward->score().assign(score);
  reward->score().set_trainable(true);
  return reward;
}

// The preferred answer holds more of token 7. Some end in padding, before which is read.
data::TokenDataset pairs(int count, uint64_t seed = 5) {
  std::vector<data::TokenDocument> documents;
  Rng rng(seed, 0);
  for (int pair = 0; pair < count; ++pair) {
    std::vector<int32_t> prompt(1 + rng.below(5));
    for (int32_t& token : prompt) token = static_cast<int32_t>(rng.below(7));
    for (const bool chosen : {true, false}) {
      data::TokenDocument document{.tokens = prompt, .learnt = {}, .value = pair % 3 == 0 ? 0.5f : 0.0f};
      const uint64_t answer = 2 + rng.below(8);
      for (uint64_t i = 0; i < answer; ++i)
        document.tokens.push_back(chosen == (rng.below(5) > 0) ? 7 : static_cast<int32_t>(8 + rng.below(8)));
      if (rng.below(3) == 0) document.tokens.push_back(kPad);
      document.learnt.assign(prompt.size(), 0);
      document.learnt.resize(document.tokens.size(), 1);
      documents.push_back(std::move(document));
    }
  }
  return data::TokenDataset::from_examples(data::TokenContent::preferences, documents);
}

data::SupervisedSampler sampler(data::SupervisedOptions options, int count = 40, uint64_t seed = 5) {
  options.last_tokens = true;
  return data::SupervisedSampler::create(pairs(count, seed), options).value();
}

std::unique_ptr<train::ExampleObjective> training(const std::shared_ptr<model::RewardModel>& model,
                                                  train::Examples examples, const RewardLossOptions& loss,
                                                  const train::TuningOptions& options) {
  return train::ExampleObjective::create(model->config(), std::move(examples), options,
                                         std::make_unique<RewardCriterion>(model, loss))
      .value();
}

// The reward of a text alone, read where the model says.
double reward_of(const model::RewardModel& model, const data::TokenDataset& dataset, int64_t document) {
  std::vector<int32_t> tokens(static_cast<size_t>(dataset.document_length(document)));
  dataset.read(dataset.document_begin(document), tokens);
  const auto time = static_cast<int64_t>(tokens.size());
  const Tensor values = model.values(
      model.decoder().hidden(Tensor::from(tokens, {1, time}), nn::ForwardContext::causal(1, time)));
  while (tokens.back() == kPad) tokens.pop_back();
  return double{values.data<float>()[tokens.size() - 1]};
}

TEST(RewardCriterion, LosesWhatThePairsOfAStepLoseOnTheAverage) {
  const auto model = tiny_model();
  const data::TokenDataset dataset = pairs(40);
  double loss = 0.0, wins = 0.0, sum = 0.0;
  const autograd::NoGrad no_grad;
  for (int64_t i = 0; i < 40; ++i) {
    const double chosen = reward_of(*model, dataset, 2 * i), rejected = reward_of(*model, dataset, 2 * i + 1);
    const double x = chosen - rejected - double{dataset.value(2 * i)};
    loss += std::log1p(std::exp(-x)) + 0.01 * (chosen + rejected) * (chosen + rejected);
    wins += chosen > rejected;
    sum += chosen + rejected;
  }
  const train::Evaluation all =
      training(model, {sampler({.sequence = 32, .rows = 4}), sampler({.sequence = 32, .rows = 3})},
               {.center = 0.01}, {.batch = 16})
          ->evaluate(0)
          .value()
          .value();
  EXPECT_NEAR(all.loss, loss / 40.0, 1e-5);
  EXPECT_NEAR(all.figure("accuracy").value(), wins / 40.0, 1e-9);
  EXPECT_NEAR(all.figure("reward_mean").value(), sum / 80.0, 1e-5);
  EXPECT_TRUE(all.figure("calibration_error") && all.figure("brier"));
}

TEST(RewardCriterion, LearnsTheSameHoweverAStepIsCut) {
  const auto model = tiny_model();
  test::NamedTensors wanted;
  double loss = 0.0;
  for (const int64_t rows : {int64_t{16}, int64_t{1}, int64_t{3}}) {
    for (const bool packed : {true, false}) {
      for (const bool checkpointing : {false, true}) {
        const train::StepLoss step =
            training(model, {sampler({.sequence = 32, .rows = rows, .packed = packed, .seed = 1})}, {},
                     {.batch = 16, .checkpointing = checkpointing})
                ->accumulate({})
                .value();
        const auto got = test::take_gradients(*model);
        if (wanted.empty()) {
          wanted = got;
          loss = step.loss;
        }
        EXPECT_NEAR(step.loss, loss, 1e-5);
        EXPECT_LE(distance(got, wanted), 1e-5) << rows << " rows, packed " << packed;
      }
    }
  }
  EXPECT_TRUE(wanted.contains("score.weight"));
}

class RewardRun : public testing::TestWithParam<bool> {
 protected:
  struct Run {
    std::shared_ptr<model::RewardModel> model;
    std::shared_ptr<nn::LoraAdapter> adapter;
    Result<train::TrainSummary> summary = make_error(ErrorCode::internal, "not run");
    int64_t resumed_from = 0;
  };
  static constexpr const char* kTargets = "all-linear";

  Run train(const std::string& name, bool resume = false, int64_t stop_after = 0) const {
    Run run;
    run.model = tiny_model();
    const formats::PeftConfig settings{.rank = 4, .alpha = 8, .dropout = 0.1, .targets = {kTargets}};
    std::unique_ptr<train::Trainee> trainee;
    if (GetParam()) {
      nn::set_trainable(run.model->decoder(), false);
      run.adapter = std::make_shared<nn::LoraAdapter>(
          model::make_lora(run.model->decoder(), run.model->config(), settings, 1).value());
      trainee = std::make_unique<AdapterOfRewardModel>(run.model, run.adapter, settings);
    } else {
      trainee = std::make_unique<WholeRewardModel>(run.model);
    }
    train::TrainOptions options;
    options.steps = 60;
    options.schedule.lr = 1e-2;
    options.schedule.warmup = 2;
    options.optimizer.weight_decay = 0.0;
    options.eval_every = 0;
    options.save_every = 0;
    options.finish().value();
    train::TrainHooks hooks;
    int64_t steps = 0;
    if (stop_after > 0) hooks.should_stop = [&steps, stop_after] { return ++steps >= stop_after; };
    auto objective = training(
        run.model,
        {sampler({.sequence = 32, .rows = 4, .seed = 2}, 60), sampler({.sequence = 32, .rows = 4}, 30, 9)},
        {}, {.batch = 16, .seed = 1, .dropout = GetParam() ? 0.1 : 0.0});
    train::Trainer trainer(std::move(trainee), std::move(objective), options, root() / name, hooks);
    if (resume) run.resumed_from = trainer.resume().value();
    run.summary = trainer.run();
    return run;
  }

  fs::path root() const { return test::process_temp_dir() / (GetParam() ? "adapter" : "whole"); }
};

TEST_P(RewardRun, LearnsWhatIsPreferred) {
  const Run run = train("run");
  ASSERT_TRUE(run.summary.ok()) << run.summary.error().message;
  ASSERT_TRUE(run.summary->evaluation.has_value());
  EXPECT_GE(run.summary->evaluation->figure("accuracy").value(), 0.9);
  EXPECT_LT(run.summary->evaluation->loss, 0.4);

  // What is saved is what was learnt.
  const data::TokenDataset dataset = pairs(3, 11);
  const autograd::NoGrad no_grad;
  if (!GetParam()) {
    const model::RewardModel saved = model::load_reward_model(root() / "run" / "model").value();
    EXPECT_EQ(reward_of(saved, dataset, 0), reward_of(*run.model, dataset, 0));
    return;
  }
  auto saved = tiny_model();
  nn::LoraAdapter adapter =
      model::load_lora(*saved, formats::PeftFolder::open(root() / "run" / "adapter").value()).value();
  saved->decoder().set_adapter({std::shared_ptr<void>(), &adapter});
  run.model->decoder().set_adapter(run.adapter);
  EXPECT_NEAR(reward_of(*saved, dataset, 0), reward_of(*run.model, dataset, 0), 1e-6);
  EXPECT_EQ(distance(masters(adapter), masters(*run.adapter)), 0.0);
}

TEST_P(RewardRun, GoesOnToTheSameBits) {
  const Run whole = train("uncut");
  const Run stopped = train("parts", false, 23);
  EXPECT_FALSE(stopped.summary.ok());
  const Run resumed = train("parts", true);
  EXPECT_EQ(resumed.resumed_from, 23);
  EXPECT_EQ(distance(masters(*resumed.model), masters(*whole.model)), 0.0);
  if (GetParam()) {
    EXPECT_EQ(distance(masters(*resumed.adapter), masters(*whole.adapter)), 0.0);
  }
}

INSTANTIATE_TEST_SUITE_P(Trainees, RewardRun, testing::Bool(),
                         [](const auto& which) { return which.param ? "Adapter" : "Whole"; });

}  // namespace
}  // namespace quern::align
