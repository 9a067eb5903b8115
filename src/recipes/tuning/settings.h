// The settings that tasks share, and those that only some of them have.
#pragma once

#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "recipes/tuning/task.h"

namespace quern::recipes {

// Whether a task learns from plain text: pretrain, mlm and denoise; all others are of tuning.
inline bool learns_text(TrainTask task) {
  return task == TrainTask::pretrain || task == TrainTask::mlm || task == TrainTask::denoise;
}

// The field `task`, of the tasks of tuning; with `pretrain`, of those that learn text, too.
void add_task(Fields& f, TrainTask& task, bool pretrain);

// invalid_argument for the first setting below one of `prefixes` that somebody made.
Result<void> refuse_settings(const Fields& loaded, std::string_view task,
                             const std::vector<std::string_view>& prefixes);

// The same of settings that tuning has, and `task` has not. Those that learn text have none of them.
Result<void> refuse_settings_of_others(const Fields& loaded, TrainTask task);

}  // namespace quern::recipes
