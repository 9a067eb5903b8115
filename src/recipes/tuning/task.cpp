#include "recipes/tuning/task.h"

#include <algorithm>
#include <array>

#include "align/reward_trainee.h"
#include "model/load.h"
#include "recipes/tuning/tasks.h"

namespace quern::recipes {

std::span<const TuningTask> tuning_tasks() {
  static const std::array tasks{supervised_task(), dpo_task(),    orpo_task(), simpo_task(),
                                kto_task(),        reward_task(), grpo_task()};
  return tasks;
}

const TuningTask& task_of(TrainTask task) {
  return *std::ranges::find(tuning_tasks(), task, &TuningTask::task);
}

std::unique_ptr<train::Trainee> usual_trainee(const TuneConfig& config, const TunedModel& model) {
  if (model.reward && !model.adapter) return std::make_unique<align::WholeRewardModel>(model.reward);
  if (model.reward) {
    return std::make_unique<align::AdapterOfRewardModel>(
        model.reward, std::shared_ptr<nn::LoraAdapter>(std::shared_ptr<void>(), model.adapter.get()),
        config.adapter.settings);
  }
  if (!model.adapter) return std::make_unique<train::WholeModel>(model.model());
  return std::make_unique<train::AdapterOfModel>(model.model(), *model.adapter, config.adapter.settings);
}

train::TuningOptions tuning_options(const TuneConfig& config, const TunedModel& model) {
  return {.batch = config.train.batch_sizes.max(),
          .checkpointing = config.train.checkpointing,
          .seed = config.train.seed,
          .dropout = std::max(model.model().config().dropout, config.adapter.settings.dropout)};
}

Result<align::Reference> reference_of(const TuneConfig& config, const TunedModel& model) {
  if (model.adapter) return align::Reference::without(model.model(), *model.adapter);
  QUERN_TRY(model::Decoder frozen,
            model::load_model(config.from, {.trainable = false, .compute_dtype = config.train.dtype}));
  return align::Reference::of(std::make_shared<const model::Decoder>(std::move(frozen)));
}

}  // namespace quern::recipes
