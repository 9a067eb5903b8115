// task: sft
#include "recipes/tuning/tasks.h"
#include "train/supervised_criterion.h"

namespace quern::recipes {

namespace {

Result<std::unique_ptr<train::Criterion>> criterion(const TuneConfig&, const TunedModel& model) {
  return std::unique_ptr<train::Criterion>(new train::SupervisedCriterion(model.model()));
}

}  // namespace

TuningTask supervised_task() {
  return {.task = TrainTask::sft,
          .name = "sft",
          .summary = "the answers of examples",
          .sections = {},
          .examples = data::TokenContent::supervised,
          .criterion = criterion};
}

}  // namespace quern::recipes
