// Qwen 3 (Yang et al. 2025, arXiv 2505.09388): LLaMA with normed queries and keys, and heads of a width of their own.
#include "model/families/families.h"
#include "model/families/llama_like.h"
#include "model/families/qwen_windows.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = llama_defaults("qwen3");
  config.qk_norm = nn::QkNorm::head;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  config.head_dim = 128;
  read_llama(reader, config);
  config.qkv_bias = config.output_bias = reader.boolean("attention_bias", false);
  read_qwen_windows(reader, config, full_below);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config);
  json["attention_bias"] = config.qkv_bias;
  write_qwen_windows(config, json);
  return json;
}

}  // namespace

const Family kQwen3 = llama_relative({.name = "qwen3",
                                      .architecture = "Qwen3ForCausalLM",
                                      .defaults = defaults,
                                      .read = read,
                                      .write = write,
                                      .gguf = {.architecture = "qwen3"}});

}  // namespace quern::model
