// The experts of Qwen's mixtures: which layers have them, and their widths.
#pragma once

#include "model/families/config_reader.h"

namespace quern::model {

void read_qwen_experts(ConfigReader& reader, ModelConfig& config);
void write_qwen_experts(const ModelConfig& config, nlohmann::ordered_json& json);

}  // namespace quern::model
