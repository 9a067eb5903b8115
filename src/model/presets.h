// Published sizes by name.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "model/config.h"

namespace quern::model {

struct Preset {
  std::string name;    // as `quern plan` takes it
  std::string source;  // where the sizes are published
  ModelConfig config;
};

std::span<const Preset> presets();
// nullptr when there is none of this name.
const Preset* find_preset(std::string_view name);

// GPT-2 124M (Radford et al. 2019): 12 layers of 768, 12 heads, 1,024 positions, 50,257 tokens.
const ModelConfig& gpt2_small();

}  // namespace quern::model
