// The tasks of tuning, one file each.
#pragma once

#include "recipes/tuning/task.h"

namespace quern::recipes {

TuningTask supervised_task();
Result<EncoderTuning> learn_to_answer(const TuneConfig& config);  // of supervised_task; written_answers.cpp
TuningTask distill_task();
// preference.cpp
TuningTask dpo_task();
TuningTask orpo_task();
TuningTask simpo_task();
TuningTask kto_task();
TuningTask reward_task();
TuningTask grpo_task();
TuningTask ppo_task();
TuningTask classify_task();
TuningTask embed_task();

}  // namespace quern::recipes
