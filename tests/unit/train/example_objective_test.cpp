// Tuning on examples: of whole models and of adapters, through the trainer.
#include "train/example_objective.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "autograd/graph.h"
#include "base/rng.h"
#include "model/four_bit.h"
#include "model/lora.h"
#include "support/parameters.h"
#include "train/supervised_criterion.h"
#include "train/trainer.h"
#include "unit/train/tiny_tuning.h"

namespace quern::train {
namespace {

namespace fs = std::filesystem;
using test::distance, test::masters, test::take_gradients;

// Prompts of some tokens, and answers, which alone are learnt, that count on from the last of them.
data::TokenDataset examples(int count, uint64_t seed = 5) {
  std::vector<data::TokenDocument> documents(static_cast<size_t>(count));
  Rng rng(seed, 0);
  for (data::TokenDocument& document : documents) {
    const uint64_t prompt = 2 + rng.below(6), answer = 1 + rng.below(12);
    for (uint64_t i = 0; i < prompt; ++i) document.tokens.push_back(static_cast<int32_t>(rng.below(23)));
    for (uint64_t i = 0; i < answer; ++i) document.tokens.push_back((document.tokens.back() + 1) % 23);
    document.learnt.assign(prompt, 0);
    document.learnt.resize(prompt + answer, 1);
  }
  return data::TokenDataset::from_examples(data::TokenContent::supervised, documents);
}

data::SupervisedSampler sampler(const data::SupervisedOptions& options, int count = 40) {
  return data::SupervisedSampler::create(examples(count), options).value();
}

std::unique_ptr<ExampleObjective> tuning(const model::Decoder& model, Examples examples,
                                         const TuningOptions& options) {
  return ExampleObjective::create(model.config(), std::move(examples), options,
                                  std::make_unique<SupervisedCriterion>(model))
      .value();
}

// Batches of unequal lengths in one piece, in many, packed, each in its own row, and recomputed: one gradient.
TEST(ExampleObjective, LearnsTheSameHoweverAStepIsCut) {
  model::Decoder model = model::Decoder::create(tiny_tuning_config(), 3).value();
  test::NamedTensors wanted;
  double loss = 0.0;
  for (const int64_t rows : {int64_t{16}, int64_t{1}, int64_t{3}}) {
    for (const bool packed : {true, false}) {
      for (const bool checkpointing : {false, true}) {
        const data::SupervisedOptions how{.sequence = 32, .rows = rows, .packed = packed, .seed = 1};
        const StepLoss step = tuning(model, {sampler(how)}, {.batch = 16, .checkpointing = checkpointing})
                                  ->accumulate({})
                                  .value();
        const auto got = take_gradients(model);
        if (wanted.empty()) {
          wanted = got;
          loss = step.loss;
        }
        EXPECT_NEAR(step.loss, loss, 1e-5);
        EXPECT_LE(distance(got, wanted), 1e-5) << rows << " rows, packed " << packed;
      }
    }
  }
}

// The same of a LoRA beside a model in 4 bits, whose first maps nothing is learnt of: recomputed or not, and evaluated.
TEST(ExampleObjective, LearnsTheSameBesideFourBitsHoweverAStepIsCut) {
  model::ModelConfig config = tiny_tuning_config();
  config.hidden = 64;
  config.intermediate = 128;
  model::Decoder model = model::Decoder::create(config, 3).value();
  model::hold_in_nf4(model, DType::f32).value();
  nn::set_trainable(model, false);
  const formats::PeftConfig settings{.rank = 4, .alpha = 8, .targets = {std::string(model::kAllLinear)}};
  nn::LoraAdapter adapter = model::make_lora(model, config, settings, 1).value();
  adapter.visit([](const std::string&, nn::Parameter& p) {
    for (float& value : p.master().span<float>()) value += 0.02f;
  });
  const AdapterOfModel trainee(model, adapter, settings);
  test::NamedTensors wanted;
  double loss = 0.0;
  for (const int64_t rows : {int64_t{16}, int64_t{3}}) {
    for (const bool checkpointing : {false, true}) {
      const data::SupervisedOptions how{.sequence = 32, .rows = rows, .seed = 1};
      const auto objective =
          tuning(model, {sampler(how), sampler(how)}, {.batch = 16, .checkpointing = checkpointing});
      const StepLoss step = objective->accumulate({}).value();
      const auto got = take_gradients(adapter);
      if (wanted.empty()) {
        wanted = got;
        loss = step.loss;
      }
      EXPECT_NEAR(step.loss, loss, 1e-6);
      EXPECT_LE(distance(got, wanted), 1e-5) << rows << " rows, checkpointing " << checkpointing;
    }
  }
}

// What is not learnt has no part in the loss: prompts of other tokens that the answers do not see.
TEST(ExampleObjective, LearnsAnswersAlone) {
  const model::Decoder model = model::Decoder::create(tiny_tuning_config(), 3).value();
  const autograd::NoGrad no_grad;
  const data::TokenDataset dataset = examples(40);
  double sum = 0.0;
  int64_t targets = 0;
  for (int64_t d = 0; d < dataset.document_count(); ++d) {
    std::vector<int32_t> tokens(static_cast<size_t>(dataset.document_length(d)));
    std::vector<uint8_t> learnt(tokens.size());
    dataset.read(dataset.document_begin(d), tokens);
    dataset.read_learnt(dataset.document_begin(d), learnt);
    const auto time = static_cast<int64_t>(tokens.size());
    const Tensor logits =
        model.logits(model.hidden(Tensor::from(tokens, {1, time}), nn::ForwardContext::causal(1, time)));
    for (size_t t = 1; t < tokens.size(); ++t) {
      if (!learnt[t]) continue;
      const float* row = logits.data<float>() + (t - 1) * 23;
      double total = 0.0;
      for (int v = 0; v < 23; ++v) total += std::exp(double{row[v]});
      sum += std::log(total) - row[tokens[t]];
      ++targets;
    }
  }
  const Evaluation whole =
      tuning(model, {sampler({.sequence = 32}), sampler({.sequence = 32, .rows = 2})}, {})
          ->evaluate(0)
          .value()
          .value();
  EXPECT_EQ(whole.tokens, targets);
  EXPECT_NEAR(whole.loss, sum / static_cast<double>(targets), 1e-5);
}

// Steps are smoothed, evaluations are not.
TEST(ExampleObjective, SmoothsLabelsOfWhatIsLearnt) {
  model::Decoder model = model::Decoder::create(tiny_tuning_config(), 3).value();
  const auto smooth = [&](double smoothing) {
    const data::SupervisedOptions how{.sequence = 32, .rows = 4};
    return ExampleObjective::create(model.config(), {sampler(how), sampler(how)}, {.batch = 12},
                                    std::make_unique<SupervisedCriterion>(model, smoothing))
        .value();
  };
  const auto loss = [&] { return smooth(0.2)->accumulate({}).value().loss; };
  const double smoothed = loss();
  test::expect_slope(model, take_gradients(model), loss);
  EXPECT_NE(smoothed, smooth(0.0)->accumulate({}).value().loss);
  EXPECT_EQ(smooth(0.2)->evaluate(0).value()->loss, smooth(0.0)->evaluate(0).value()->loss);
  Fingerprint with, without;
  smooth(0.2)->describe(with);
  smooth(0.0)->describe(without);
  EXPECT_NE(with, without);
}

class AdapterTuning : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            (std::string("quern_tuning_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  struct Run {
    std::unique_ptr<model::Decoder> model;
    std::unique_ptr<nn::LoraAdapter> adapter;
    Result<TrainSummary> summary = make_error(ErrorCode::internal, "not run");
    int64_t resumed_from = 0;
  };

  Run train(const std::string& name, bool resume = false, int64_t stop_after = 0,
            bool checkpointing = false) {
    Run run;
    run.model = std::make_unique<model::Decoder>(model::Decoder::create(tiny_tuning_config(), 3).value());
    nn::set_trainable(*run.model, false);
    const formats::PeftConfig settings{
        .rank = 4, .alpha = 8, .dropout = 0.1, .targets = {std::string(model::kAllLinear)}};
    run.adapter = std::make_unique<nn::LoraAdapter>(
        model::make_lora(*run.model, run.model->config(), settings, 1).value());
    TrainOptions options;
    options.steps = 60;
    options.schedule.lr = 2e-2;
    options.schedule.warmup = 2;
    options.optimizer.weight_decay = 0.0;
    options.eval_every = 0;
    options.save_every = 0;
    options.finish().value();
    TrainHooks hooks;
    int64_t steps = 0;
    if (stop_after > 0) hooks.should_stop = [&steps, stop_after] { return ++steps >= stop_after; };
    auto objective = tuning(
        *run.model,
        {sampler({.sequence = 32, .rows = 4, .seed = 2}, 200), sampler({.sequence = 32, .rows = 4}, 30)},
        {.batch = 16, .checkpointing = checkpointing, .seed = 1, .dropout = 0.1});
    Trainer trainer(std::make_unique<AdapterOfModel>(*run.model, *run.adapter, settings),
                    std::move(objective), options, root_ / name, hooks);
    if (resume) run.resumed_from = trainer.resume().value();
    run.summary = trainer.run();
    return run;
  }

  fs::path root_;
};

TEST_F(AdapterTuning, LearnsBesideAModelThatStaysAsItIs) {
  const Run run = train("run");
  ASSERT_TRUE(run.summary.ok());
  const model::Decoder untouched = model::Decoder::create(tiny_tuning_config(), 3).value();
  EXPECT_EQ(distance(masters(*run.model), masters(untouched)), 0.0);
  ASSERT_TRUE(run.summary->evaluation.has_value());
  EXPECT_LT(run.summary->evaluation->loss, 2.0);  // more than log 23 before

  const auto files = formats::PeftFolder::open(root_ / "run" / "adapter").value();
  // PEFT knows no list of which all-linear is a part.
  EXPECT_EQ(std::ranges::count(files.config.targets, model::kAllLinear), 0);
  EXPECT_GE(files.config.targets.size(), 2u);
  const nn::LoraAdapter saved = model::load_lora(untouched, untouched.config(), files).value();
  EXPECT_EQ(distance(masters(saved), masters(*run.adapter)), 0.0);
}

TEST_F(AdapterTuning, GoesOnToTheSameBits) {
  const Run whole = train("whole");
  const Run stopped = train("parts", false, 23);
  EXPECT_FALSE(stopped.summary.ok());
  const Run resumed = train("parts", true);
  EXPECT_EQ(resumed.resumed_from, 23);
  EXPECT_EQ(distance(masters(*resumed.adapter), masters(*whole.adapter)), 0.0);
  const Run recomputed = train("checkpointed", false, 0, true);
  EXPECT_LE(distance(masters(*recomputed.adapter), masters(*whole.adapter)), 1e-4);
}

TEST(ExampleObjective, RefusesExamplesThatDoNotFit) {
  model::ModelConfig config = tiny_tuning_config();
  const auto refused = [&] {
    const model::Decoder model = model::Decoder::create(config, 3).value();
    auto objective = ExampleObjective::create(config, {sampler({.sequence = 32}), sampler({.sequence = 40})},
                                              {}, std::make_unique<SupervisedCriterion>(model));
    EXPECT_FALSE(objective.ok());
    return objective.ok() ? std::string() : objective.error().message;
  };
  config.vocab_size = 22;
  EXPECT_EQ(refused(), "the examples hold token 22, but the model has a vocabulary of 22");
  config.vocab_size = 23;
  config.max_positions = 36;  // the held-out ones do not fit
  EXPECT_EQ(refused(), "train.sequence is 40, but the model has 36 positions");
}

}  // namespace
}  // namespace quern::train
