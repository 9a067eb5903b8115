// Gemma (Gemma Team 2024, arXiv 2403.08295): LLaMA with GeGLU, norms that hold w - 1 and scaled embeddings.
#include "model/families/families.h"
#include "model/families/gemma_like.h"

namespace quern::model {

namespace {

ModelConfig defaults() { return gemma_defaults("gemma"); }

void read(ConfigReader& reader, ModelConfig& config) {
  config.head_dim = 256;
  read_llama(reader, config);
  // The first releases said gelu and meant its approximation.
  if (config.activation == ops::Activation::gelu_erf) config.activation = ops::Activation::gelu_tanh;
  config.qkv_bias = config.output_bias = reader.boolean("attention_bias", false);
  reader.expect("use_bidirectional_attention", false);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config);
  json["attention_bias"] = config.qkv_bias;
  return json;
}

}  // namespace

const Family kGemma = llama_relative({.name = "gemma",
                                      .architecture = "GemmaForCausalLM",
                                      .defaults = defaults,
                                      .read = read,
                                      .write = write,
                                      .gguf = {.architecture = "gemma", .imply = imply_norms}});

}  // namespace quern::model
