// Bottleneck adapters as AdapterHub's library publishes them: adapter_config.json beside adapter.safetensors
// (save_adapter of its release 1.3, with use_safetensors; https://docs.adapterhub.ml/classes/adapter_config.html, BnConfig).
#pragma once

#include "formats/peft.h"

namespace quern::formats {

inline constexpr std::string_view kAdapterHubWeightsFile = "adapter.safetensors";
inline constexpr std::string_view kAdapterHubOldFile = "pytorch_adapter.bin";

// Whether an adapter_config.json is AdapterHub's and not PEFT's.
bool is_adapter_hub_config(const nlohmann::json& json);

// corrupt; unsupported, naming the key: another architecture than bottlenecks, and those with layer norms, gates or other
// maps of their own, beside the branch, or behind cross-attention. `source` names the file in errors.
Result<PeftConfig> read_adapter_hub_config(const nlohmann::json& json, const std::string& source);
nlohmann::ordered_json write_adapter_hub_config(const PeftConfig& config);

}  // namespace quern::formats
