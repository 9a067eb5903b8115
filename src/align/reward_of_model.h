// What a reward model says of answers, as a reward of them.
#pragma once

#include <memory>

#include "align/reward.h"
#include "infer/reward.h"

namespace quern::align {

// Reads the tokens of prompt and answer as they were drawn, the end token included: `model` has the tokenizer of the model
// that answers. An answer too long for it is an error.
std::unique_ptr<Reward> reward_of_model(infer::LoadedReward model);

}  // namespace quern::align
