// A model that tests of tuning can teach in a moment.
#pragma once

#include "model/config.h"

namespace quern::train {

inline model::ModelConfig tiny_tuning_config() {
  model::ModelConfig config;
  config.vocab_size = 23;
  config.layers = 2;
  config.hidden = 16;
  config.heads = 2;
  config.max_positions = 64;
  config.init_std = 0.3;  // of frozen embeddings, whose logits could not be far apart otherwise
  return config;
}

}  // namespace quern::train
