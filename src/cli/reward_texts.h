// Texts and conversations that a reward model judges.
#pragma once

#include <string>
#include <vector>

#include "cli/text_inputs.h"
#include "infer/reward.h"

namespace quern::cli {

// One of what is judged, as the model reads it.
struct RewardText {
  std::string shown;  // the text, or the answer of a conversation
  std::vector<int32_t> tokens;
};

// Texts as they are; of the lines of a .jsonl file without "text", the examples that they are (handbook/examples.md),
// rendered as for training: one each, of a preference both answers. unsupported for conversations where the model has no
// chat template; invalid_argument for lines that are no examples, with why.
Result<std::vector<RewardText>> read_reward_texts(const TextInputs& inputs,
                                                  const infer::LoadedReward& reward);

}  // namespace quern::cli
