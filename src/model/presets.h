// Published sizes by name.
#pragma once

#include "model/config.h"

namespace quern::model {

// GPT-2 124M (Radford et al. 2019): 12 layers of 768, 12 heads, 1,024 positions, 50,257 tokens.
ModelConfig gpt2_small();

}  // namespace quern::model
