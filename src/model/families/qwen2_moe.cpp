// Qwen 1.5 and 2 as mixtures of experts (Yang et al. 2024, arXiv 2407.10671): small experts beside one that every token
// meets.
#include "model/families/families.h"
#include "model/families/llama_like.h"
#include "model/families/qwen_experts.h"
#include "model/families/qwen_windows.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = llama_defaults("qwen2_moe");
  config.qkv_bias = true;
  config.experts = 60;
  config.experts_per_token = 4;
  config.expert_intermediate = 1408;
  config.shared_intermediate = 5632;
  config.renormalise_experts = false;
  return config;
}

// Every other of the lower layers has a window.
bool full_above_or_odd(int64_t layer, int64_t max_window_layers) {
  return layer % 2 != 0 || layer >= max_window_layers;
}

void read(ConfigReader& reader, ModelConfig& config) {
  read_llama(reader, config);
  read_qwen_experts(reader, config);
  config.shared_intermediate = reader.integer("shared_expert_intermediate_size", config.shared_intermediate);
  config.qkv_bias = reader.boolean("qkv_bias", true);
  read_qwen_windows(reader, config, full_above_or_odd);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config);
  write_qwen_experts(config, json);
  json["shared_expert_intermediate_size"] = config.shared_intermediate;
  json["qkv_bias"] = config.qkv_bias;
  write_qwen_windows(config, json);
  return json;
}

}  // namespace

const Family kQwen2Moe = llama_relative({.name = "qwen2_moe",
                                         .architecture = "Qwen2MoeForCausalLM",
                                         .defaults = defaults,
                                         .read = read,
                                         .write = write,
                                         .gguf = {.architecture = "qwen2moe"}});

}  // namespace quern::model
