// task: reward
#include "align/reward_criterion.h"
#include "recipes/tuning/tasks.h"

namespace quern::recipes {

namespace {

Result<std::unique_ptr<train::Criterion>> criterion(const TuneConfig& config, const TunedModel& model) {
  return std::unique_ptr<train::Criterion>(new align::RewardCriterion(model.reward, config.reward.loss));
}

}  // namespace

TuningTask reward_task() {
  return {.task = TrainTask::reward,
          .name = "reward",
          .summary = "a reward model: what answers are worth",
          .sections = {"reward."},
          .examples = data::TokenContent::preferences,
          .scores = true,
          .learns_bottlenecks = false,
          .adapter_lr = 1e-4,
          .model_lr = 1e-5,
          .criterion = criterion};
}

}  // namespace quern::recipes
