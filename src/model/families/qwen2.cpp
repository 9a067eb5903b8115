// Qwen 2 (Yang et al. 2024, arXiv 2407.10671; 2.5: arXiv 2412.15115): LLaMA with biases of queries, keys and values.
#include "model/families/families.h"
#include "model/families/llama_like.h"
#include "model/families/qwen_windows.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = llama_defaults("qwen2");
  config.qkv_bias = true;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  read_llama(reader, config);
  read_qwen_windows(reader, config, full_below);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config);
  write_qwen_windows(config, json);
  return json;
}

}  // namespace

const Family kQwen2 = llama_relative({.name = "qwen2",
                                      .architecture = "Qwen2ForCausalLM",
                                      .defaults = defaults,
                                      .read = read,
                                      .write = write,
                                      .gguf = {.architecture = "qwen2"}});

}  // namespace quern::model
