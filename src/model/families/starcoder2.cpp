// StarCoder 2 (Lozhkov et al. 2024, arXiv 2402.19173): rotary positions and a window between layer norms and biases.
#include "model/families/families.h"
#include "model/families/llama_like.h"

namespace quern::model {

namespace {

constexpr LlamaKeys kKeys{.norm_eps = "norm_epsilon"};

ModelConfig defaults() {
  ModelConfig config = llama_defaults("starcoder2");
  config.norm = ops::NormKind::layer;
  config.norm_bias = true;
  config.norm_eps = 1e-5;
  config.activation = ops::Activation::gelu_tanh;
  config.gated_mlp = false;
  config.qkv_bias = config.output_bias = config.mlp_bias = true;
  config.tied_embeddings = true;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  config.kv_heads = 2;
  read_llama(reader, config, kKeys);
  config.qkv_bias = config.output_bias = config.mlp_bias = reader.boolean("use_bias", true);
  config.window = reader.integer("sliding_window", 0);
  config.dropout = reader.number("residual_dropout", 0.0);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config, kKeys);
  json["use_bias"] = config.qkv_bias;
  json["sliding_window"] = or_null(config.window);
  json["residual_dropout"] = json["embedding_dropout"] = config.dropout;
  return json;
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  return llama_tensors(config, {{"mlp.c_fc", {"mlp.up"}}, {"mlp.c_proj", {"mlp.down"}}});
}

}  // namespace

const Family kStarcoder2 = llama_relative({.name = "starcoder2",
                                           .architecture = "Starcoder2ForCausalLM",
                                           .defaults = defaults,
                                           .read = read,
                                           .write = write,
                                           .tensors = tensors,
                                           .gguf = {.architecture = "starcoder2"}});

}  // namespace quern::model
