// task: dpo, orpo, simpo
#include <fmt/format.h>

#include "align/preference_criterion.h"
#include "recipes/tuning/tasks.h"

namespace quern::recipes {

namespace {

Result<std::unique_ptr<train::Criterion>> criterion(const TuneConfig& config, const TunedModel& model) {
  std::optional<align::Reference> reference;
  if (config.preference.reference && align::has_reference(config.preference.options.pair.kind)) {
    QUERN_TRY(reference, reference_of(config, model));
  }
  return std::unique_ptr<train::Criterion>(
      new align::PreferenceCriterion(model.model(), std::move(reference), config.preference.options));
}

// The losses of orpo and simpo are those of the tasks, with what their papers begin with.
Result<void> finish(TuneConfig& config, const Fields& loaded) {
  align::PreferenceOptions& options = config.preference.options;
  if (config.task == TrainTask::dpo) return {};
  const bool simpo = config.task == TrainTask::simpo;
  for (const std::string_view key :
       {"preference.loss", "preference.label_smoothing", "preference.reference"}) {
    if (!loaded.is_set(key)) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{} is set at {}, and task {} has no such setting", key,
                                  loaded.find(key)->origin(), task_of(config.task).name),
                      "task dpo has it");
  }
  options.pair.kind = simpo ? align::PairLossKind::simpo : align::PairLossKind::orpo;
  if (simpo && !loaded.is_set("preference.beta")) options.pair.beta = 2.0;
  if (!simpo && !loaded.is_set("preference.nll_weight")) options.nll_weight = 1.0;
  return {};
}

TuningTask task(TrainTask task, std::string_view name, std::string_view summary) {
  return {.task = task,
          .name = name,
          .summary = summary,
          .sections = {"preference."},
          .examples = data::TokenContent::preferences,
          .learns_virtual_tokens = true,
          .adapter_lr = 1e-5,
          .model_lr = 1e-6,
          .finish = finish,
          .criterion = criterion};
}

}  // namespace

TuningTask dpo_task() {
  return task(TrainTask::dpo, "dpo", "which of two answers is preferred, beside a reference");
}
TuningTask orpo_task() {
  return task(TrainTask::orpo, "orpo", "preferred answers, and that they are likelier than others");
}
TuningTask simpo_task() {
  return task(TrainTask::simpo, "simpo", "which of two answers is preferred, without a reference");
}

}  // namespace quern::recipes
