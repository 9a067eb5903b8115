// PPO through the trainer: a toy that has to say letters.
#include "align/ppo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "align/policy_with_values.h"
#include "align/reward_trainee.h"
#include "model/lora.h"
#include "support/parameters.h"
#include "support/source_dir.h"
#include "support/temp_dir.h"
#include "train/trainer.h"
#include "unit/align/tiny_policy.h"

namespace quern::align {
namespace {

namespace fs = std::filesystem;

using test::distance, test::masters, test::take_gradients, test::NamedTensors;

const formats::PeftConfig kAdapter{.base = "base", .rank = 4, .alpha = 8.0, .targets = {"all-linear"}};

// A model that answers, the same that does not learn, and values: over a copy, or adapters of both over one model.
struct Models {
  std::shared_ptr<infer::LoadedModel> loaded = tiny_policy();
  std::shared_ptr<nn::LoraAdapter> policy = {}, values_adapter = {};
  std::shared_ptr<model::RewardModel> values = {};
  std::optional<Reference> reference = {};
  std::unique_ptr<train::Trainee> trainee = {};

  explicit Models(bool adapts) {
    if (adapts) {
      nn::set_trainable(loaded->model, false);
      const auto adapter = [&](uint64_t seed) {
        return std::make_shared<nn::LoraAdapter>(
            model::make_lora(loaded->model, loaded->model.config(), kAdapter, seed).value());
      };
      policy = adapter(1);
      values_adapter = adapter(2);
      values = std::make_shared<model::RewardModel>(std::shared_ptr<model::Decoder>(loaded, &loaded->model));
      reference = Reference::without(loaded->model, *policy);
      trainee = std::make_unique<PolicyWithValues>(
          std::make_unique<train::AdapterOfModel>(loaded->model, *policy, kAdapter),
          std::make_unique<AdapterOfRewardModel>(values, values_adapter, kAdapter,
                                                 AdapterOfRewardModel::Use::where_named));
      return;
    }
    const auto frozen = tiny_policy();
    reference = Reference::of(std::shared_ptr<const model::Decoder>(frozen, &frozen->model));
    const auto copy = tiny_policy();
    copy->model.drop_head();
    values = std::make_shared<model::RewardModel>(std::shared_ptr<model::Decoder>(copy, &copy->model));
    values->score().set_trainable(true);
    trainee = std::make_unique<PolicyWithValues>(std::make_unique<train::WholeModel>(loaded->model),
                                                 std::make_unique<WholeRewardModel>(values));
  }

  Ppo ppo(const PpoOptions& options, const AnswerRows& rows = {.sequence = 96, .rows = 4},
          std::function<double(std::string_view)> worth = letters) const {
    Rewards rewards;
    rewards.add("letters", 1.0, std::make_unique<TextReward>(std::move(worth)));
    AnswerSource source =
        AnswerSource::create(loaded, {tiny_prompts(*loaded, 24), tiny_prompts(*loaded, 3)},
                             std::move(rewards), {.max_tokens = 8, .at_once = 16, .seed = 1}, rows,
                             {.batch = 24, .seed = 1})
            .value();
    return Ppo(std::move(source), *reference, ValueModel(values, values_adapter), options);
  }
};

// Rows, packing and recomputation change the order of sums alone.
TEST(Ppo, LearnsTheSameHoweverAStepIsCut) {
  for (const bool adapts : {false, true}) {
    NamedTensors wanted;
    for (const AnswerRows& rows :
         {AnswerRows{96, 24, false}, AnswerRows{96, 1, true}, AnswerRows{40, 2, true}}) {
      Models models(adapts);
      models.values->score().assign(Tensor::full(models.values->score().shape(), 0.2));
      models.values->score().set_trainable(true);
      Ppo ppo = models.ppo({}, rows);
      const train::StepLoss step = ppo.accumulate({}).value();
      EXPECT_EQ(figure(step.figures, "clipped"), 0.0);
      EXPECT_EQ(figure(step.figures, "value_clipped"), 0.0);
      EXPECT_EQ(figure(step.figures, "kl"), 0.0);
      EXPECT_NEAR(figure(step.figures, "ratio"), 1.0, 1e-12);
      EXPECT_LE(figure(step.figures, "rollout_gap"), 1e-5);
      // Advantages have the mean 0, and the ratio is 1.
      EXPECT_NEAR(figure(step.figures, "policy_loss"), 0.0, 1e-6);
      const NamedTensors got = take_gradients(models.trainee->parameters());
      if (wanted.empty()) wanted = got;
      EXPECT_LE(distance(got, wanted), 1e-5);
      EXPECT_TRUE(got.contains("values.score.weight"));
    }
  }
}

// The answers of the first update are kept, so that the loss of the second is a function of the weights.
TEST(Ppo, GradientsAreThoseOfTheLoss) {
  for (const bool adapts : {false, true}) {
    Models models(adapts);
    models.values->score().assign(Tensor::full(models.values->score().shape(), 0.2));
    models.values->score().set_trainable(true);
    Ppo ppo = models.ppo({.updates = 100, .value_weight = 0.5});
    const auto loss = [&] { return ppo.accumulate({}).value().loss; };
    loss();
    nn::Module& parameters = models.trainee->parameters();
    const NamedTensors gradient = take_gradients(parameters);
    EXPECT_TRUE(gradient.contains("values.score.weight"));
    test::expect_slope(parameters, gradient, loss, 5e-4);
  }
}

// By hand: without a distance to the reference, and with values of 0, what is to be expected of every token is the reward of
// its answer, less the penalty where the limit ended it.
TEST(Ppo, ExpectsTheRewardOfTheAnswerOfEachToken) {
  const Models models(false);
  Ppo ppo = models.ppo({.missing_end_penalty = 0.5, .gae = {.lambda = 1.0}, .kl = {.weight = 0.0}},
                       {.sequence = 96, .rows = 4}, [](std::string_view) { return 2.0; });
  const train::StepLoss step = ppo.accumulate({}).value();
  auto rollouts = Rollouts::create(models.loaded, {.max_tokens = 8, .at_once = 16, .seed = 1}, 6).value();
  const PromptSet prompts = tiny_prompts(*models.loaded, 24);
  double sum = 0.0, tokens = 0.0, cut_off = 0.0;
  std::vector<std::span<const int32_t>> asked;
  for (int64_t i = 0; i < 24; ++i) asked.emplace_back(prompts[prompts.drawn(i, 1)].tokens);
  const std::vector<Rollout> answers = rollouts.sample(asked, 1, 0).value();
  for (const Rollout& answer : answers) {
    const double wanted = answer.ended ? 2.0 : 1.5;
    sum += 0.5 * wanted * wanted * static_cast<double>(answer.tokens.size());
    tokens += static_cast<double>(answer.tokens.size());
    cut_off += answer.ended ? 0.0 : 1.0;
  }
  EXPECT_GT(cut_off, 0.0);
  EXPECT_NEAR(figure(step.figures, "value_loss"), sum / tokens, 1e-6);
  EXPECT_NEAR(figure(step.figures, "cut_off"), cut_off / 24.0, 1e-12);
  EXPECT_EQ(figure(step.figures, "reward"), 2.0);
}

struct TrainRun {
  std::unique_ptr<Models> models;
  int64_t resumed_from = -1;
  Result<train::TrainSummary> summary = make_error(ErrorCode::internal, "never ran");
};

TrainRun train(const std::string& name, const PpoOptions& options, int64_t steps, bool adapts,
               bool resume = false, int64_t stop_after = 0, double lr = 1e-2) {
  TrainRun run;
  run.models = std::make_unique<Models>(adapts);
  train::TrainOptions how;
  how.steps = steps;
  how.schedule.lr = lr;
  how.schedule.warmup = 0;
  how.optimizer.weight_decay = 0.0;
  how.eval_every = 0;
  how.save_every = 0;
  how.log_every = 1;
  how.finish().value();
  train::TrainHooks hooks;
  int64_t done = 0;
  if (stop_after > 0) hooks.should_stop = [&done, stop_after] { return ++done >= stop_after; };
  auto objective = std::make_unique<Ppo>(run.models->ppo(options));
  train::Trainer trainer(std::move(run.models->trainee), std::move(objective), how,
                         test::process_temp_dir() / name, hooks);
  if (resume) run.resumed_from = trainer.resume().value();
  run.summary = trainer.run();
  return run;
}

TEST(Ppo, RaisesTheReward) {
  const Models untouched(false);
  const double before = untouched.ppo({}).evaluate(0).value()->figures.front().second;
  EXPECT_LT(before, 0.5);
  for (const bool adapts : {false, true}) {
    const TrainRun run = train(adapts ? "adapter" : "model", {.kl = {.weight = 0.01}}, 60, adapts);
    ASSERT_TRUE(run.summary.ok()) << run.summary.error().message;
    ASSERT_TRUE(run.summary->evaluation.has_value());
    EXPECT_GT(run.summary->evaluation->figures.front().second, 0.9) << adapts;
  }
}

// Four updates learn from the same answers: the seventh is in the middle of them. The weight of the distance has moved.
TEST(Ppo, GoesOnToTheSameBits) {
  for (const bool adapts : {false, true}) {
    const PpoOptions options{.kl = {.weight = 0.05, .target = 0.5, .horizon = 200.0}};
    const std::string parts = adapts ? "parts_adapter" : "parts_model";
    const TrainRun whole = train(adapts ? "whole_adapter" : "whole_model", options, 11, adapts);
    const TrainRun stopped = train(parts, options, 11, adapts, false, 7);
    EXPECT_FALSE(stopped.summary.ok());
    const TrainRun resumed = train(parts, options, 11, adapts, true);
    EXPECT_EQ(resumed.resumed_from, 7);
    EXPECT_EQ(distance(masters(*resumed.models->values), masters(*whole.models->values)), 0.0);
    if (adapts) {
      EXPECT_EQ(distance(masters(*resumed.models->policy), masters(*whole.models->policy)), 0.0);
      EXPECT_EQ(distance(masters(*resumed.models->values_adapter), masters(*whole.models->values_adapter)),
                0.0);
    } else {
      EXPECT_EQ(distance(masters(resumed.models->loaded->model), masters(whole.models->loaded->model)), 0.0);
    }
  }
}

// With a heavy weight, the distance to the reference stays small although letters are wanted. At a rate at which rounding does
// not decide which answers are drawn.
TEST(Ppo, IsHeldToTheReference) {
  const auto kl_after = [](double weight, const std::string& name) {
    const TrainRun run = train(name, {.kl = {.weight = weight}}, 60, false, false, 0, 3e-3);
    EXPECT_TRUE(run.summary.ok());
    Ppo ppo = run.models->ppo({.kl = {.weight = weight}});
    return figure(ppo.accumulate({}).value().figures, "kl");
  };
  const double free = kl_after(0.0, "free"), held = kl_after(1.0, "held");
  EXPECT_GT(free, 1.0);
  EXPECT_LT(held, 0.25 * free);
}

// tools/goldens/ppo.py records what TRL's trainer makes of log-probabilities, values and scores.
TEST(Ppo, AgreesWithTrl) {
  using Rows = std::vector<std::vector<double>>;
  std::ifstream file(std::string(QUERN_SOURCE_DIR) + "/tests/golden/align/ppo.json");
  const auto golden = nlohmann::json::parse(file);
  ASSERT_GE(golden.at("cases").size(), 3u);
  for (const auto& recorded : golden.at("cases")) {
    const auto rows = [&](const char* key) { return recorded.at(key).get<Rows>(); };
    const double clip = recorded.at("cliprange"), value_clip = recorded.at("cliprange_value");
    const double value_weight = recorded.at("vf_coef"), penalty = recorded.at("penalty");
    const auto scores = recorded.at("scores").get<std::vector<double>>();
    const auto ended = recorded.at("ended").get<std::vector<bool>>();
    const Rows before = rows("before"), reference = rows("reference"), values = rows("values");
    Rows advantages;
    for (size_t i = 0; i < scores.size(); ++i) {
      const Gae gae =
          advantages_of(shaped_rewards(before[i], reference[i], scores[i] - (ended[i] ? 0.0 : penalty),
                                       recorded.at("kl_coef")),
                        values[i], {recorded.at("gamma"), recorded.at("lam")});
      EXPECT_THAT(gae.returns, testing::Pointwise(testing::DoubleNear(1e-9), rows("returns")[i]));
      advantages.push_back(gae.advantages);
    }
    whiten(std::vector<std::span<double>>(advantages.begin(), advantages.end()));
    const Rows now = rows("now"), values_now = rows("values_now"), returns = rows("returns");
    const double share = 1.0 / static_cast<double>(now.size() * now[0].size());
    const PolicyLossOptions bounds{.clip_low = clip, .clip_high = clip};
    double loss = 0.0;
    for (size_t i = 0; i < now.size(); ++i) {
      EXPECT_THAT(advantages[i], testing::Pointwise(testing::DoubleNear(1e-7), rows("advantages")[i]));
      for (size_t t = 0; t < now[i].size(); ++t) {
        const PolicyLoss policy = policy_loss({now[i][t], before[i][t]}, advantages[i][t], bounds);
        const ValueLoss value = value_loss(values_now[i][t], values[i][t], returns[i][t], value_clip);
        loss += share * (policy.loss + value_weight * value.loss);
        EXPECT_NEAR(share * policy.d, rows("d_now")[i][t], 1e-7);
        EXPECT_NEAR(share * value_weight * value.d, rows("d_values")[i][t], 1e-9);
      }
    }
    EXPECT_NEAR(loss, recorded.at("loss").get<double>(), 1e-7);
  }
}

}  // namespace
}  // namespace quern::align
