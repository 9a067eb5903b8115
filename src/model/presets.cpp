#include "model/presets.h"

namespace quern::model {

ModelConfig gpt2_small() {
  ModelConfig config;  // the defaults are those of GPT-2
  config.vocab_size = 50257;
  config.layers = 12;
  config.hidden = 768;
  config.heads = 12;
  config.max_positions = 1024;
  return config;
}

}  // namespace quern::model
