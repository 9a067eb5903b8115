// task: grpo
#include "align/grpo.h"

#include "recipes/tuning/tasks.h"

namespace quern::recipes {

namespace {

Result<Tuning> begin(const TuneConfig& config, const TunedModel& model, align::PromptSets prompts) {
  std::optional<align::Reference> reference;
  if (config.grpo.options.loss.beta > 0.0) {
    QUERN_TRY(reference, reference_of(config, model));
  }
  QUERN_TRY(OwnAnswers own, own_answers(config, model));
  Tuning tuning;
  tuning.trainee = usual_trainee(config, model);
  QUERN_TRY(align::Grpo objective, align::Grpo::create(model.loaded, std::move(reference), std::move(prompts),
                                                       std::move(own.rewards), own.rollout,
                                                       config.grpo.options, own.rows, own.options));
  auto owned = std::make_unique<align::Grpo>(std::move(objective));
  tuning.sample = [grpo = owned.get()](const model::Decoder&) -> Result<train::TextSample> {
    return train::TextSample{grpo->last_prompt() + "\n", grpo->last_answers()};
  };
  tuning.objective = std::move(owned);
  return tuning;
}

Result<void> finish(TuneConfig& config, const Fields& loaded) {
  if (!loaded.is_set("grpo.scaled"))
    config.grpo.options.scaled = config.grpo.options.aggregation != align::Aggregation::dr_grpo;
  return finish_own_answers(config, loaded);
}

}  // namespace

TuningTask grpo_task() {
  return {.task = TrainTask::grpo,
          .name = "grpo",
          .summary = "which of its own answers are worth more, by rewards",
          .sections = {"rollout.", "rewards.", "grpo."},
          .adapter_lr = 1e-5,
          .model_lr = 1e-6,
          .finish = finish,
          .begin_with_prompts = begin,
          .updates = [](const TuneConfig& config) { return config.grpo.options.updates; }};
}

}  // namespace quern::recipes
