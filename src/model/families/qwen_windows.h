// The sliding windows of Qwen 2 and 3: off unless use_sliding_window, and then in the upper layers only.
#pragma once

#include "model/families/config_reader.h"

namespace quern::model {

void read_qwen_windows(ConfigReader& reader, ModelConfig& config);
void write_qwen_windows(const ModelConfig& config, nlohmann::ordered_json& json);

}  // namespace quern::model
