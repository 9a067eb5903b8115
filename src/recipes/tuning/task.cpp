#include "recipes/tuning/task.h"

#include <algorithm>
#include <array>

#include "recipes/tuning/tasks.h"

namespace quern::recipes {

std::span<const TuningTask> tuning_tasks() {
  static const std::array tasks{supervised_task(), dpo_task(), orpo_task(), simpo_task()};
  return tasks;
}

const TuningTask& task_of(TrainTask task) {
  return *std::ranges::find(tuning_tasks(), task, &TuningTask::task);
}

std::unique_ptr<train::Trainee> usual_trainee(const TuneConfig& config, const TunedModel& model) {
  if (!model.adapter) return std::make_unique<train::WholeModel>(model.model());
  return std::make_unique<train::AdapterOfModel>(model.model(), *model.adapter, config.adapter.settings);
}

train::TuningOptions tuning_options(const TuneConfig& config, const TunedModel& model) {
  return {.batch = config.train.batch_sizes.max(),
          .checkpointing = config.train.checkpointing,
          .seed = config.train.seed,
          .dropout = std::max(model.model().config().dropout, config.adapter.settings.dropout)};
}

}  // namespace quern::recipes
