#include "recipes/training_run.h"

#include "base/log.h"

namespace quern::recipes {

Result<train::TrainSummary> run_training(std::unique_ptr<train::Trainee> trainee,
                                         std::unique_ptr<train::Objective> objective,
                                         const train::TrainOptions& options, const std::filesystem::path& out,
                                         train::TrainHooks hooks, const TrainHow& how) {
  hooks.should_stop = how.should_stop;
  hooks.progress = how.progress;
  train::Trainer trainer(std::move(trainee), std::move(objective), options, out, std::move(hooks));
  if (how.resume) {
    QUERN_TRY(const int64_t step, trainer.resume());
    if (step > 0) log::info("train", "going on after step {}", step);
  } else if (how.overwrite) {
    std::error_code ignored;  // only now, when nothing else is wrong
    std::filesystem::remove_all(out / "checkpoints", ignored);
  }
  return trainer.run();
}

}  // namespace quern::recipes
