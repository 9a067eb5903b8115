// task: ppo
#include "align/ppo.h"

#include "align/policy_with_values.h"
#include "align/reward_trainee.h"
#include "model/load.h"
#include "model/lora.h"
#include "recipes/tuning/tasks.h"

namespace quern::recipes {

namespace {

struct OpenValues {
  align::ValueModel model;
  std::unique_ptr<train::Trainee> trainee;
};

// Beside an adapter that answers, an adapter of values over the same model.
Result<OpenValues> adapter_of_values(const TuneConfig& config, const TunedModel& tuned) {
  formats::PeftConfig settings = config.adapter.settings;
  if (!config.ppo.values.empty()) {
    QUERN_TRY(formats::PeftFolder folder, formats::PeftFolder::open(config.ppo.values));
    settings = std::move(folder.config);
  }
  auto values = std::make_shared<model::RewardModel>(
      std::shared_ptr<model::Decoder>(tuned.loaded, &tuned.loaded->model));
  // Another beginning than that of the adapter that answers.
  QUERN_TRY(nn::LoraAdapter made,
            model::make_lora(tuned.model(), tuned.model().config(), settings, config.train.seed + 1));
  auto adapter = std::make_shared<nn::LoraAdapter>(std::move(made));
  auto trainee = std::make_unique<align::AdapterOfRewardModel>(values, adapter, settings,
                                                               align::AdapterOfRewardModel::Use::where_named);
  if (!config.ppo.values.empty()) QUERN_CHECK(trainee->restore(config.ppo.values));
  return OpenValues{align::ValueModel(values, adapter), std::move(trainee)};
}

// A model of its own.
Result<OpenValues> model_of_values(const TuneConfig& config) {
  const std::string& from = config.ppo.values.empty() ? config.from : config.ppo.values;
  QUERN_TRY(model::RewardModel values,
            model::load_reward_model(from, {.trainable = true, .compute_dtype = config.train.dtype}));
  auto owned = std::make_shared<model::RewardModel>(std::move(values));
  return OpenValues{align::ValueModel(owned), std::make_unique<align::WholeRewardModel>(owned)};
}

Result<Tuning> begin(const TuneConfig& config, const TunedModel& model, align::PromptSets prompts) {
  QUERN_TRY(align::Reference reference, reference_of(config, model));
  QUERN_TRY(align::AnswerSource source, answer_source(config, model, std::move(prompts)));
  Result<OpenValues> values = model.adapter ? adapter_of_values(config, model) : model_of_values(config);
  if (!values.ok()) return std::move(values).error().within("ppo.values");
  auto ppo = std::make_unique<align::Ppo>(std::move(source), std::move(reference), std::move(values->model),
                                          config.ppo.options);
  const align::AnswerSource& answers = ppo->source();
  return Tuning{
      std::make_unique<align::PolicyWithValues>(usual_trainee(config, model), std::move(values->trainee)),
      std::move(ppo), sample_of(answers)};
}

}  // namespace

TuningTask ppo_task() {
  return {.task = TrainTask::ppo,
          .name = "ppo",
          .summary = "its own answers by their reward, beside a model of values",
          .sections = {"rollout.", "rewards.", "ppo."},
          .learns_bottlenecks = false,
          .adapter_lr = 1e-5,
          .model_lr = 1e-6,
          .finish = finish_own_answers,
          .begin_with_prompts = begin,
          .updates = [](const TuneConfig& config) { return config.ppo.options.updates; }};
}

}  // namespace quern::recipes
