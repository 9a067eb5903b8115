// The sliding windows of Qwen 2 and 3: off unless use_sliding_window, and then in some layers.
#pragma once

#include "model/families/config_reader.h"

namespace quern::model {

// Without layer_types, `full` tells from the number of a layer and max_window_layers whether it sees all keys.
void read_qwen_windows(ConfigReader& reader, ModelConfig& config,
                       bool (*full)(int64_t layer, int64_t max_window_layers));
void write_qwen_windows(const ModelConfig& config, nlohmann::ordered_json& json);

// The upper layers have windows.
inline bool full_below(int64_t layer, int64_t max_window_layers) { return layer < max_window_layers; }

}  // namespace quern::model
