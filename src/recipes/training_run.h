// A run in its folder, from the newest checkpoint or from the start: what all tasks of `quern train` end in.
#pragma once

#include "recipes/run_folder.h"
#include "train/trainer.h"

namespace quern::recipes {

// Trains as `how` says, in the folder `out`. Of `hooks`, should_stop and progress are those of `how`. Errors of
// Trainer::resume and Trainer::run.
Result<train::TrainSummary> run_training(std::unique_ptr<train::Trainee> trainee,
                                         std::unique_ptr<train::Objective> objective,
                                         const train::TrainOptions& options, const std::filesystem::path& out,
                                         train::TrainHooks hooks, const TrainHow& how);

}  // namespace quern::recipes
