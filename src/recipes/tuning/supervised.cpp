// task: sft
#include "recipes/tuning/tasks.h"
#include "train/supervised_criterion.h"

namespace quern::recipes {

namespace {

Result<std::unique_ptr<train::Criterion>> criterion(const TuneConfig& config, const TunedModel& model) {
  if (config.label_smoothing > 0.0 && model.model().config().logit_softcap > 0.0)
    return make_error(ErrorCode::unsupported, "label_smoothing is not of models that cap their logits");
  return std::unique_ptr<train::Criterion>(
      new train::SupervisedCriterion(model.model(), config.label_smoothing));
}

}  // namespace

TuningTask supervised_task() {
  return {.task = TrainTask::sft,
          .name = "sft",
          .summary = "the answers of examples",
          .sections = {"rows."},
          .examples = data::TokenContent::supervised,
          .learns_virtual_tokens = true,
          .criterion = criterion,
          .begin_with_pairs = learn_to_answer};
}

}  // namespace quern::recipes
