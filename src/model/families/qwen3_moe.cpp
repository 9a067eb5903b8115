// Qwen 3 as a mixture of experts (Yang et al. 2025, arXiv 2505.09388).
#include "model/families/families.h"
#include "model/families/llama_like.h"
#include "model/families/qwen_experts.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = llama_defaults("qwen3_moe");
  config.qk_norm = nn::QkNorm::head;
  config.experts = 128;
  config.experts_per_token = 8;
  config.expert_intermediate = 768;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  config.kv_heads = 4;
  read_llama(reader, config);
  read_qwen_experts(reader, config);
  config.qkv_bias = config.output_bias = reader.boolean("attention_bias", false);
  if (reader.boolean("use_sliding_window", false)) config.window = reader.integer("sliding_window", 4096);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config);
  write_qwen_experts(config, json);
  json["attention_bias"] = config.qkv_bias;
  json["use_sliding_window"] = config.window > 0;
  json["sliding_window"] = or_null(config.window);
  return json;
}

}  // namespace

const Family kQwen3Moe = llama_relative({.name = "qwen3_moe",
                                         .architecture = "Qwen3MoeForCausalLM",
                                         .defaults = defaults,
                                         .read = read,
                                         .write = write,
                                         .gguf = {.architecture = "qwen3moe"}});

}  // namespace quern::model
