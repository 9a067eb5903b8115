// task: kto
#include "align/kto.h"

#include "recipes/tuning/tasks.h"

namespace quern::recipes {

namespace {

Result<Tuning> begin(const TuneConfig& config, const TunedModel& model, TuningData data) {
  QUERN_TRY(align::Reference reference, reference_of(config, model));
  QUERN_TRY(align::KtoTuning objective,
            align::KtoTuning::create(model.model(), std::move(reference), std::move(data.train),
                                     std::move(data.validation), config.kto.options,
                                     tuning_options(config, model)));
  return Tuning{usual_trainee(config, model), std::make_unique<align::KtoTuning>(std::move(objective))};
}

}  // namespace

TuningTask kto_task() {
  return {.task = TrainTask::kto,
          .name = "kto",
          .summary = "answers that are wanted or not, beside a reference",
          .sections = {"kto."},
          .examples = data::TokenContent::unpaired,
          .adapter_lr = 1e-5,
          .model_lr = 1e-6,
          .begin = begin};
}

}  // namespace quern::recipes
