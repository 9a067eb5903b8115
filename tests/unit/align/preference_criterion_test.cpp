// Learning from pairs, through a whole model.
#include "align/preference_criterion.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "align/answers.h"
#include "autograd/graph.h"
#include "base/rng.h"
#include "model/adapter.h"
#include "model/lora.h"
#include "support/parameters.h"
#include "train/adamw.h"
#include "train/example_objective.h"
#include "unit/train/tiny_tuning.h"

namespace quern::align {
namespace {

// Prompts with two answers: one counts on from the prompt's last token, the other counts down.
data::TokenDataset pairs(int count, uint64_t seed = 5) {
  std::vector<data::TokenDocument> documents;
  Rng rng(seed, 0);
  for (int i = 0; i < count; ++i) {
    data::TokenDocument prompt;
    for (uint64_t n = 2 + rng.below(5); n > 0; --n)
      prompt.tokens.push_back(static_cast<int32_t>(rng.below(23)));
    prompt.learnt.assign(prompt.tokens.size(), 0);
    for (const int32_t step : {1, 22}) {
      data::TokenDocument& document = documents.emplace_back(prompt);
      for (uint64_t n = 1 + rng.below(6); n > 0; --n)
        document.tokens.push_back((document.tokens.back() + step) % 23);
      document.learnt.resize(document.tokens.size(), 1);
    }
  }
  return data::TokenDataset::from_examples(data::TokenContent::preferences, documents);
}

data::SupervisedSampler sampler(const data::SupervisedOptions& how, int count = 12) {
  return data::SupervisedSampler::create(pairs(count), how).value();
}

model::Decoder tiny_model(uint64_t seed = 3) {
  return model::Decoder::create(train::tiny_tuning_config(), seed).value();
}

Result<std::unique_ptr<train::ExampleObjective>> tuning(const model::Decoder& model,
                                                        std::optional<Reference> reference,
                                                        train::Examples examples,
                                                        const PreferenceOptions& options) {
  return train::ExampleObjective::create(
      model.config(), std::move(examples), {.batch = 12},
      std::make_unique<PreferenceCriterion>(model, std::move(reference), options));
}

// The gradient of the whole step along a random direction is the slope of its loss there.
TEST(PreferenceCriterion, GradientsAreThoseOfTheLoss) {
  const auto reference = std::make_shared<const model::Decoder>(tiny_model(8));
  for (const PairLossKind kind :
       {PairLossKind::sigmoid, PairLossKind::ipo, PairLossKind::orpo, PairLossKind::simpo}) {
    model::Decoder model = tiny_model();
    const auto loss = [&] {
      return tuning(model, has_reference(kind) ? std::optional(Reference::of(reference)) : std::nullopt,
                    {sampler({.sequence = 32, .rows = 2})},
                    {.pair = {.kind = kind, .beta = 0.4, .gamma = 0.2}, .nll_weight = 0.5})
          .value()
          ->accumulate({})
          .value()
          .loss;
    };
    loss();
    SCOPED_TRACE(static_cast<int>(kind));
    test::expect_slope(model, test::take_gradients(model), loss);
  }
}

TEST(PreferenceCriterion, LearnsTheSameHoweverAStepIsCut) {
  model::Decoder model = tiny_model();
  const auto reference = std::make_shared<const model::Decoder>(tiny_model(8));
  test::NamedTensors wanted;
  double loss = 0.0;
  for (const int64_t rows : {int64_t{12}, int64_t{1}, int64_t{5}}) {
    for (const bool packed : {true, false}) {
      const train::StepLoss step =
          tuning(model, Reference::of(reference), {sampler({.sequence = 32, .rows = rows, .packed = packed})},
                 {.pair = {.beta = 0.4}, .nll_weight = 0.7})
              .value()
              ->accumulate({})
              .value();
      const auto got = test::take_gradients(model);
      if (wanted.empty()) {
        wanted = got;
        loss = step.loss;
      }
      EXPECT_NEAR(step.loss, loss, 1e-5) << rows << " rows, packed " << packed;
      EXPECT_LE(test::distance(got, wanted), 1e-5);
    }
  }
}

// A new adapter changes nothing: all losses are those of D = 0. And the reference stays the base when it learns.
TEST(PreferenceCriterion, HoldsAnAdapterToTheModelWithoutIt) {
  model::Decoder model = tiny_model();
  nn::set_trainable(model, false);
  nn::LoraAdapter adapter =
      model::make_lora(model, model.config(),
                       {.rank = 4, .alpha = 8, .targets = {std::string(model::kAllLinear)}}, 1)
          .value();
  model.set_adapter({std::shared_ptr<void>(), &adapter});
  const auto objective =
      tuning(model, Reference::without(model, adapter),
             {sampler({.sequence = 32, .rows = 4}, 48), sampler({.sequence = 32, .rows = 4})},
             {.pair = {.beta = 0.5}})
          .value();
  train::AdamW optimizer(adapter, {.weight_decay = 0.0});
  const data::SupervisedStep step = sampler({.sequence = 32}).step(0, 12);
  const auto base_sums = [&] {
    const autograd::NoGrad no_grad;
    const Reference reference = Reference::without(model, adapter);
    std::vector<double> sums;
    for (const data::SupervisedBatch& batch : step.micro_batches) {
      const Answers answers(reference.model(), batch, reference.context(batch));
      for (size_t i = 0; i < batch.sequences.size(); ++i) sums.push_back(answers.sum(i));
    }
    return sums;
  };
  const std::vector<double> before = base_sums();
  const train::Evaluation first = objective->evaluate(0).value().value();
  EXPECT_NEAR(first.loss, std::log(2.0), 1e-6);
  EXPECT_NEAR(first.figure("accuracy").value(), 0.5, 1e-12);
  for (int i = 0; i < 60; ++i) {
    EXPECT_TRUE(objective->accumulate({.step = i}).ok());
    optimizer.grad_norm();
    optimizer.step(1e-2, 1.0);
  }
  EXPECT_EQ(base_sums(), before);
  const train::Evaluation last = objective->evaluate(60).value().value();
  EXPECT_LT(last.loss, 0.3);
  EXPECT_GT(last.figure("accuracy").value(), 0.9);
  EXPECT_GT(last.figure("margin").value(), 1.0);
  model.set_adapter(nullptr);
}

TEST(PreferenceCriterion, RefusesWhatAreNoPairs) {
  const model::Decoder model = tiny_model();
  data::TokenDocument document{.tokens = {1, 2, 3}, .learnt = {0, 1, 1}};
  auto examples =
      data::SupervisedSampler::create(
          data::TokenDataset::from_examples(data::TokenContent::supervised, {document}), {.sequence = 16})
          .value();
  const auto refused = tuning(model, std::nullopt, {examples}, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(refused.error().message, "the examples are supervised, and preferences are needed");
}

// A reference without virtual tokens that learn is the bare model, though they stand in the rows.
TEST(Reference, DoesNotSeeVirtualTokens) {
  const model::Decoder model = tiny_model();
  const auto adapter =
      model::make_adapter(model, {.method = formats::PeftMethod::prompt, .tokens = {.count = 3}}, {}, 1)
          .value();
  const Reference bare = Reference::of({std::shared_ptr<void>(), &model}),
                  without = Reference::without(model, *adapter);
  const data::SupervisedStep
      plain = sampler({.sequence = 32, .rows = 2}).step(0, 12),
      with = sampler({.sequence = 35, .rows = 2, .before = model.virtual_tokens(adapter.get())}).step(0, 12);
  const auto sums = [](const data::SupervisedStep& step, const Reference& reference) {
    const autograd::NoGrad no_grad;
    std::map<int64_t, double> sums;
    for (const data::SupervisedBatch& batch : step.micro_batches) {
      const Answers answers(reference.model(), batch, reference.context(batch));
      for (size_t i = 0; i < batch.sequences.size(); ++i) sums[batch.sequences[i].document] = answers.sum(i);
    }
    return sums;
  };
  const auto wanted = sums(plain, bare), found = sums(with, without);
  ASSERT_EQ(found.size(), wanted.size());
  for (const auto& [document, sum] : wanted) EXPECT_NEAR(found.at(document), sum, 1e-5);
  // With it, they say something else.
  const auto tuned = sums(with, Reference::with(model, {std::shared_ptr<void>(), adapter.get()}));
  EXPECT_GT(std::fabs(tuned.begin()->second - wanted.begin()->second), 1e-4);
}

}  // namespace
}  // namespace quern::align
