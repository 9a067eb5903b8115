#include "recipes/tuning/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "align/reward_trainee.h"
#include "formats/peft.h"
#include "model/adapter.h"
#include "model/load.h"
#include "nn/lora.h"
#include "recipes/tuning/tasks.h"

namespace quern::recipes {

std::span<const TuningTask> tuning_tasks() {
  static const std::array tasks{supervised_task(), distill_task(),  dpo_task(),    orpo_task(),
                                simpo_task(),      kto_task(),      reward_task(), grpo_task(),
                                ppo_task(),        classify_task(), embed_task()};
  return tasks;
}

const TuningTask& task_of(TrainTask task) {
  return *std::ranges::find(tuning_tasks(), task, &TuningTask::task);
}

std::unique_ptr<train::Trainee> usual_trainee(const TuneConfig& config, const TunedModel& model) {
  if (model.reward && !model.adapter) return std::make_unique<align::WholeRewardModel>(model.reward);
  if (model.reward) {
    return std::make_unique<align::AdapterOfRewardModel>(
        model.reward,
        std::shared_ptr<nn::LoraAdapter>(std::shared_ptr<void>(),
                                         &dynamic_cast<nn::LoraAdapter&>(*model.adapter)),
        config.adapter.settings);
  }
  if (!model.adapter) return std::make_unique<train::WholeModel>(model.model());
  return std::make_unique<train::AdapterOfModel>(model.model(), *model.adapter, config.adapter.settings);
}

train::TuningOptions tuning_options(const TuneConfig& config, const TunedModel& model) {
  return {.batch = config.train.batch_sizes.max(),
          .checkpointing = config.train.checkpointing,
          .seed = config.train.seed,
          .dropout = std::max(model.model().config().dropout, config.adapter.settings.dropout),
          .embedding_noise = config.embedding_noise,
          .embedding_size = model.model().config().embedding_size};
}

Result<align::Reference> reference_of(const TuneConfig& config, const TunedModel& model) {
  if (model.adapter && !config.adapter.from.empty()) {
    QUERN_TRY(const formats::PeftFolder folder, formats::PeftFolder::open(config.adapter.from));
    QUERN_TRY(std::unique_ptr<nn::Adapter> frozen, model::load_adapter(model.model(), folder));
    nn::set_compute_dtype(*frozen, config.train.dtype);
    return align::Reference::with(model.model(), std::move(frozen));
  }
  if (model.adapter) return align::Reference::without(model.model(), *model.adapter);
  QUERN_TRY(model::Decoder frozen,
            model::load_model(config.from, {.trainable = false, .compute_dtype = config.train.dtype}));
  return align::Reference::of(std::make_shared<const model::Decoder>(std::move(frozen)));
}

Result<void> finish_own_answers(TuneConfig& config, const Fields& loaded) {
  if (config.adapter.settings.dropout > 0.0) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("adapter.dropout is {}, and answers are given without dropout",
                                  config.adapter.settings.dropout),
                      "set adapter.dropout=0: the ratio of probabilities is that of one model");
  }
  if (!loaded.is_set("train.log_every")) config.train.log_every = 1;
  if (!loaded.is_set("train.sample_every")) config.train.sample_every = 10;
  return config.rewards.check();
}

Result<align::AnswerSource> answer_source(const TuneConfig& config, const TunedModel& model,
                                          align::PromptSets prompts) {
  // Keys as wide as what they are learnt with.
  if (config.train.dtype == DType::f32) model.model().set_cache_dtype(DType::f32);
  QUERN_TRY(align::Rewards rewards, config.rewards.open(model.loaded.get(), config.train.dtype));
  align::RolloutOptions rollout = config.rollout.options;
  rollout.seed = config.train.seed;
  train::TuningOptions tuning = tuning_options(config, model);
  tuning.dropout = 0.0;
  return align::AnswerSource::create(model.loaded, std::move(prompts), std::move(rewards), rollout,
                                     {.sequence = config.train.sequence_lengths.max(),
                                      .rows = std::max<int64_t>(config.train.micro_batch, 1),
                                      .packed = config.packed},
                                     tuning);
}

}  // namespace quern::recipes
