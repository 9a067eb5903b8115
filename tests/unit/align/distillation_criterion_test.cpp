// Learning from a teacher, through whole models and adapters.
#include "align/distillation_criterion.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/graph.h"
#include "base/rng.h"
#include "model/lora.h"
#include "support/parameters.h"
#include "train/adamw.h"
#include "train/example_objective.h"
#include "train/supervised_criterion.h"
#include "unit/train/tiny_tuning.h"

namespace quern::align {
namespace {

// Prompts, and answers, which alone are learnt, of any tokens.
data::TokenDataset questions(int count) {
  std::vector<data::TokenDocument> documents(static_cast<size_t>(count));
  Rng rng(7, 0);
  for (data::TokenDocument& document : documents) {
    const uint64_t prompt = 2 + rng.below(5), answer = 1 + rng.below(6);
    for (uint64_t i = 0; i < prompt + answer; ++i)
      document.tokens.push_back(static_cast<int32_t>(rng.below(23)));
    document.learnt.assign(prompt, 0);
    document.learnt.resize(prompt + answer, 1);
  }
  return data::TokenDataset::from_examples(data::TokenContent::supervised, documents);
}

data::SupervisedSampler question_sampler(const data::SupervisedOptions& how = {.sequence = 32, .rows = 4}) {
  return data::SupervisedSampler::create(questions(12), how).value();
}

model::Decoder small_student() { return model::Decoder::create(train::tiny_tuning_config(), 3).value(); }

// Wider and deeper than the student.
std::shared_ptr<const model::Decoder> large_teacher(uint64_t seed = 8) {
  model::ModelConfig config = train::tiny_tuning_config();
  config.layers = 3;
  config.hidden = 24;
  return std::make_shared<const model::Decoder>(model::Decoder::create(config, seed).value());
}

std::unique_ptr<train::ExampleObjective> distilling(const model::Decoder& student,
                                                    std::shared_ptr<const model::Decoder> teacher,
                                                    const ops::DistillationOptions& options,
                                                    const data::SupervisedOptions& how = {.sequence = 32,
                                                                                          .rows = 4}) {
  return train::ExampleObjective::create(
             student.config(), {question_sampler(how), question_sampler(how)}, {.batch = 12},
             std::make_unique<DistillationCriterion>(student, Reference::of(std::move(teacher)), options))
      .value();
}

// The gradient of the whole step along a random direction is the slope of its loss there.
TEST(DistillationCriterion, GradientsAreThoseOfTheLoss) {
  const auto teacher = large_teacher();
  for (const auto kind :
       {ops::Divergence::forward_kl, ops::Divergence::reverse_kl, ops::Divergence::jensen_shannon}) {
    SCOPED_TRACE(static_cast<int>(kind));
    model::Decoder student = small_student();
    const auto loss = [&] {
      return distilling(student, teacher, {.share = 0.6, .temperature = 2.0, .divergence = kind})
          ->accumulate({})
          .value()
          .loss;
    };
    loss();
    test::expect_slope(student, test::take_gradients(student), loss);
  }
}

TEST(DistillationCriterion, LearnsTheSameHoweverAStepIsCut) {
  const auto teacher = large_teacher();
  model::Decoder student = small_student();
  test::NamedTensors wanted;
  double loss = 0.0;
  for (const int64_t rows : {int64_t{12}, int64_t{1}, int64_t{5}}) {
    for (const bool packed : {true, false}) {
      const train::StepLoss step = distilling(student, teacher, {.share = 0.6, .temperature = 2.0},
                                              {.sequence = 32, .rows = rows, .packed = packed})
                                       ->accumulate({})
                                       .value();
      const auto got = test::take_gradients(student);
      if (wanted.empty()) {
        wanted = got;
        loss = step.loss;
      }
      EXPECT_NEAR(step.loss, loss, 1e-5) << rows << " rows, packed " << packed;
      EXPECT_LE(test::distance(got, wanted), 1e-5);
    }
  }
}

TEST(DistillationCriterion, AtWeightZeroIsSupervisedTuning) {
  model::Decoder student = small_student();
  const double distilled =
      distilling(student, large_teacher(), {.share = 0.0, .temperature = 3.0})->accumulate({}).value().loss;
  const test::NamedTensors got = test::take_gradients(student);
  const double supervised =
      train::ExampleObjective::create(student.config(), {question_sampler()}, {.batch = 12},
                                      std::make_unique<train::SupervisedCriterion>(student))
          .value()
          ->accumulate({})
          .value()
          .loss;
  EXPECT_NEAR(distilled, supervised, 1e-5);
  EXPECT_LE(test::distance(got, test::take_gradients(student)), 1e-6);
}

TEST(DistillationCriterion, OfATeacherThatIsTheStudentThereIsNothingToLearn) {
  model::Decoder student = small_student();
  const auto same = std::make_shared<const model::Decoder>(small_student());
  const auto objective = distilling(student, same, {.share = 1.0, .temperature = 2.0});
  const train::StepLoss step = objective->accumulate({}).value();
  EXPECT_EQ(step.loss, 0.0);
  for (const auto& [name, gradient] : test::take_gradients(student))
    for (const float value : gradient.span<float>()) EXPECT_NEAR(value, 0.0f, 1e-6f) << name;
  const train::Evaluation evaluation = objective->evaluate(0).value().value();
  EXPECT_EQ(evaluation.figure("divergence"), 0.0);
  EXPECT_EQ(evaluation.figure("agreement"), 1.0);
  EXPECT_NEAR(evaluation.figure("perplexity").value(), std::exp(evaluation.figure("hard_loss").value()),
              1e-9);
}

// Only the teacher says what to learn: a student comes near it.
TEST(DistillationCriterion, AnAdapterComesNearItsTeacher) {
  model::Decoder student = small_student();
  nn::set_trainable(student, false);
  nn::LoraAdapter adapter =
      model::make_lora(student, student.config(),
                       {.rank = 8, .alpha = 16, .targets = {std::string(model::kAllLinear)}}, 1)
          .value();
  student.set_adapter({std::shared_ptr<void>(), &adapter});
  const auto objective = distilling(student, large_teacher(), {.share = 1.0});
  train::AdamW optimizer(adapter, {.weight_decay = 0.0});
  const train::Evaluation before = objective->evaluate(0).value().value();
  for (int i = 0; i < 80; ++i) {
    ASSERT_TRUE(objective->accumulate({.step = i}).ok());
    optimizer.grad_norm();
    optimizer.step(2e-2, 1.0);
  }
  const train::Evaluation after = objective->evaluate(80).value().value();
  EXPECT_LT(after.figure("divergence").value(), 0.5 * before.figure("divergence").value());
  EXPECT_GT(after.figure("agreement").value(), before.figure("agreement").value());
  student.set_adapter(nullptr);
}

TEST(DistillationCriterion, AnotherTeacherIsAnotherRun) {
  const model::Decoder student = small_student();
  const auto print_of = [&](uint64_t seed, const ops::DistillationOptions& options) {
    train::Fingerprint print;
    distilling(student, large_teacher(seed), options)->describe(print);
    return print;
  };
  EXPECT_EQ(print_of(8, {}), print_of(8, {}));
  EXPECT_NE(print_of(8, {}), print_of(9, {}));
  EXPECT_NE(print_of(8, {}), print_of(8, {.temperature = 2.0}));
  EXPECT_NE(print_of(8, {}), print_of(8, {.divergence = ops::Divergence::reverse_kl}));
}

}  // namespace
}  // namespace quern::align
