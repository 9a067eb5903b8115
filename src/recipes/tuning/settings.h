// The settings that tasks share, and those that only some of them have.
#pragma once

#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "recipes/tuning/task.h"

namespace quern::recipes {

// The field `task`, of the tasks of tuning; with `pretrain`, of that one, too.
void add_task(Fields& f, TrainTask& task, bool pretrain);

// invalid_argument for the first setting below one of `prefixes` that somebody made.
Result<void> refuse_settings(const Fields& loaded, std::string_view task,
                             const std::vector<std::string_view>& prefixes);

// The same of settings that tuning has, and `task` has not. `pretrain`: has none of them.
Result<void> refuse_settings_of_others(const Fields& loaded, TrainTask task);

}  // namespace quern::recipes
