// task: grpo
#include "align/grpo.h"

#include <fmt/format.h>

#include "recipes/tuning/tasks.h"

namespace quern::recipes {

namespace {

Result<Tuning> begin(const TuneConfig& config, const TunedModel& model, align::PromptSets prompts) {
  std::optional<align::Reference> reference;
  if (config.grpo.options.loss.beta > 0.0) {
    QUERN_TRY(reference, reference_of(config, model));
  }
  // Keys as wide as what they are learnt with.
  if (config.train.dtype == DType::f32) model.model().set_cache_dtype(DType::f32);
  QUERN_TRY(align::Rewards rewards, config.rewards.open());
  align::RolloutOptions rollout = config.rollout.options;
  rollout.seed = config.train.seed;
  // Answers are given without dropout, and the ratio of probabilities is that of one model.
  train::TuningOptions options = tuning_options(config, model);
  options.dropout = 0.0;
  Tuning tuning;
  tuning.trainee = usual_trainee(config, model);
  QUERN_TRY(align::Grpo objective,
            align::Grpo::create(model.loaded, std::move(reference), std::move(prompts), std::move(rewards),
                                rollout, config.grpo.options,
                                {.sequence = config.train.sequence_lengths.max(),
                                 .rows = std::max<int64_t>(config.train.micro_batch, 1),
                                 .packed = config.packed},
                                options));
  auto owned = std::make_unique<align::Grpo>(std::move(objective));
  tuning.sample = [grpo = owned.get()](const model::Decoder&) -> Result<train::TextSample> {
    return train::TextSample{grpo->last_prompt() + "\n", grpo->last_answers()};
  };
  tuning.objective = std::move(owned);
  return tuning;
}

Result<void> finish(TuneConfig& config, const Fields& loaded) {
  if (config.adapter.settings.dropout > 0.0) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("adapter.dropout is {}, and answers are given without dropout",
                                  config.adapter.settings.dropout),
                      "set adapter.dropout=0: the ratio of probabilities is that of one model");
  }
  if (!loaded.is_set("grpo.scaled"))
    config.grpo.options.scaled = config.grpo.options.aggregation != align::Aggregation::dr_grpo;
  if (!loaded.is_set("train.log_every")) config.train.log_every = 1;
  if (!loaded.is_set("train.sample_every")) config.train.sample_every = 10;
  return config.rewards.check();
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
