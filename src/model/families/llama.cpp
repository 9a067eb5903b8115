// LLaMA 1 to 3 (Touvron et al. 2023, arXiv 2302.13971): rotary positions, RMS norms, SwiGLU, grouped queries.
#include "model/families/families.h"
#include "model/families/llama_like.h"

namespace quern::model {

namespace {

ModelConfig defaults() { return llama_defaults("llama"); }

void read(ConfigReader& reader, ModelConfig& config) {
  read_llama(reader, config);
  config.qkv_bias = config.output_bias = reader.boolean("attention_bias", false);
  config.mlp_bias = reader.boolean("mlp_bias", false);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config);
  json["attention_bias"] = config.qkv_bias;
  json["mlp_bias"] = config.mlp_bias;
  return json;
}

}  // namespace

const Family kLlama = llama_relative({.name = "llama",
                                      .architecture = "LlamaForCausalLM",
                                      .defaults = defaults,
                                      .read = read,
                                      .write = write,
                                      .gguf = {.architecture = "llama", .imply = pair_neighbours}});

}  // namespace quern::model
