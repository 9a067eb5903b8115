#include "model/families/gemma_like.h"

#include <cmath>

namespace quern::model {

namespace {
constexpr LlamaKeys kKeys{.activation = "hidden_activation"};
}

ModelConfig gemma_defaults(std::string family) {
  ModelConfig config = llama_defaults(std::move(family));
  config.norm_offset = 1.0;
  config.activation = ops::Activation::gelu_tanh;
  config.tied_embeddings = true;
  config.embedding_scale = 0.0;
  return config;
}

void read_gemma(ConfigReader& reader, ModelConfig& config, const std::function<bool(int64_t)>& full) {
  config.head_dim = 256;
  read_llama(reader, config, kKeys);
  config.qkv_bias = config.output_bias = reader.boolean("attention_bias", false);
  const double scalar = reader.number("query_pre_attn_scalar", 256.0);
  config.attention_scale = scalar == static_cast<double>(config.head_dim) ? 0.0 : 1.0 / std::sqrt(scalar);
  const auto limit = [&](const char* key, double absent) {
    return reader.is_null(key) ? 0.0 : reader.number(key, absent);
  };
  config.attention_softcap = limit("attn_logit_softcapping", config.attention_softcap);
  config.logit_softcap = limit("final_logit_softcapping", config.logit_softcap);
  config.window = reader.is_null("sliding_window") ? 0 : reader.integer("sliding_window", 4096);
  config.full_layers = reader.full_layers(config.layers, full);
  reader.expect("use_bidirectional_attention", false);
}

nlohmann::ordered_json write_gemma(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config, kKeys);
  json["attention_bias"] = config.qkv_bias;
  // transformers takes an integer.
  json["query_pre_attn_scalar"] =
      config.attention_scale == 0.0
          ? config.head_dim
          : static_cast<int64_t>(std::llround(std::pow(config.attention_scale, -2.0)));
  json["attn_logit_softcapping"] = or_null(config.attention_softcap);
  json["final_logit_softcapping"] = or_null(config.logit_softcap);
  // Where no layer has a window, layer_types says so.
  json["sliding_window"] = config.window > 0 ? config.window : config.max_positions;
  json["layer_types"] = layer_types(config);
  return json;
}

void imply_norms(ModelConfig& config) { config.norm_offset = 0.0; }

void imply_gemma(ModelConfig& config, int64_t period, int64_t largest) {
  imply_norms(config);
  for (int64_t layer = period - 1; layer < config.layers; layer += period)
    config.full_layers.push_back(layer);
  if (config.layers == largest) {
    config.attention_scale = 1.0 / std::sqrt(static_cast<double>(config.hidden / config.heads));
  }
}

std::vector<TensorName> gemma_tensors(const ModelConfig& config) {
  return llama_tensors(config, {{"post_attention_layernorm", {"attention_post_norm"}},
                                {"pre_feedforward_layernorm", {"mlp_norm"}},
                                {"post_feedforward_layernorm", {"mlp_post_norm"}}});
}

}  // namespace quern::model
