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
  QUERN_TRY(align::AnswerSource source, answer_source(config, model, std::move(prompts)));
  auto grpo = std::make_unique<align::Grpo>(std::move(source), std::move(reference), config.grpo.options);
  const align::AnswerSource& answers = grpo->source();
  return Tuning{usual_trainee(config, model), std::move(grpo), sample_of(answers)};
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
