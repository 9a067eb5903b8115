// task: sft
#include "train/supervised.h"

#include "recipes/tuning/tasks.h"

namespace quern::recipes {

namespace {

Result<Tuning> begin(const TuneConfig& config, const TunedModel& model, TuningData data) {
  QUERN_TRY(train::SupervisedTuning objective,
            train::SupervisedTuning::create(model.model(), std::move(data.train), std::move(data.validation),
                                            tuning_options(config, model)));
  return Tuning{usual_trainee(config, model),
                std::make_unique<train::SupervisedTuning>(std::move(objective))};
}

}  // namespace

TuningTask supervised_task() {
  return {.task = TrainTask::sft,
          .name = "sft",
          .summary = "the answers of examples",
          .sections = {},
          .examples = data::TokenContent::supervised,
          .begin = begin};
}

}  // namespace quern::recipes
