// OLMo 2 (OLMo Team 2024, arXiv 2501.00656): norms after the branches, and of whole queries and keys.
#include "model/families/families.h"
#include "model/families/llama_like.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = llama_defaults("olmo2");
  config.norm_eps = 1e-5;
  config.layout = nn::BlockLayout::branch_norm;
  config.qk_norm = nn::QkNorm::whole;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  read_llama(reader, config);
  config.qkv_bias = config.output_bias = reader.boolean("attention_bias", false);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config);
  json["attention_bias"] = config.qkv_bias;
  return json;
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  return llama_tensors(config, {{"post_attention_layernorm", {"attention_norm"}},
                                {"post_feedforward_layernorm", {"mlp_norm"}}});
}

std::vector<TensorName> post_norm_tensors(const ModelConfig& config) {
  return gguf_tensors(config, {{"post_attention_norm", {"attention_norm"}}, {"post_ffw_norm", {"mlp_norm"}}});
}

}  // namespace

const Family kOlmo2 = llama_relative({.name = "olmo2",
                                      .architecture = "Olmo2ForCausalLM",
                                      .defaults = defaults,
                                      .read = read,
                                      .write = write,
                                      .tensors = tensors,
                                      .gguf = {.architecture = "olmo2", .tensors = post_norm_tensors}});

}  // namespace quern::model
