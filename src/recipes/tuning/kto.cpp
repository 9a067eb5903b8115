// task: kto
#include "align/kto.h"

#include "recipes/tuning/tasks.h"

namespace quern::recipes {

namespace {

Result<std::unique_ptr<train::Criterion>> criterion(const TuneConfig& config, const TunedModel& model) {
  if (config.train.batch_sizes.max() < 2) {
    return make_error(ErrorCode::invalid_argument,
                      "train.batch is 1, and steps of at least 2 examples are needed",
                      "KTO compares each prompt with the answer to another one of its step");
  }
  QUERN_TRY(align::Reference reference, reference_of(config, model));
  return std::unique_ptr<train::Criterion>(
      new align::KtoCriterion(model.model(), std::move(reference), config.kto.options));
}

}  // namespace

TuningTask kto_task() {
  return {.task = TrainTask::kto,
          .name = "kto",
          .summary = "answers that are wanted or not, beside a reference",
          .sections = {"kto."},
          .examples = data::TokenContent::unpaired,
          .learns_virtual_tokens = true,
          .adapter_lr = 1e-5,
          .model_lr = 1e-6,
          .criterion = criterion};
}

}  // namespace quern::recipes
