// SmolLM3 (Hugging Face 2025): LLaMA whose every fourth layer has no positions (RNoPE, arXiv 2501.18795).
#include <algorithm>

#include "model/families/families.h"
#include "model/families/llama_like.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = llama_defaults("smollm3");
  config.rope.theta = 2e6;
  config.tied_embeddings = true;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  config.kv_heads = 4;
  read_llama(reader, config);
  config.qkv_bias = config.output_bias = reader.boolean("attention_bias", false);
  config.mlp_bias = reader.boolean("mlp_bias", false);
  const int64_t interval = std::max<int64_t>(reader.integer("no_rope_layer_interval", 4), 1);
  config.nope_layers = reader.zero_layers("no_rope_layers", config.layers,
                                          [=](int64_t layer) { return (layer + 1) % interval == 0; });
  if (reader.boolean("use_sliding_window", false)) {
    config.window = reader.integer("sliding_window", 0);
    config.full_layers =
        reader.full_layers(config.layers, [&](int64_t layer) { return config.rotates(layer); });
  }
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config);
  json["attention_bias"] = config.qkv_bias;
  json["mlp_bias"] = config.mlp_bias;
  json["use_sliding_window"] = config.window > 0;
  json["sliding_window"] = or_null(config.window);
  json["layer_types"] = layer_types(config);
  nlohmann::ordered_json rotating = nlohmann::ordered_json::array();
  for (int64_t layer = 0; layer < config.layers; ++layer) rotating.push_back(config.rotates(layer) ? 1 : 0);
  json["no_rope_layers"] = rotating;
  return json;
}

void imply_gguf(ModelConfig& config) {
  pair_neighbours(config);
  for (int64_t layer = 3; layer < config.layers; layer += 4) config.nope_layers.push_back(layer);
}

}  // namespace

const Family kSmolLm3 = llama_relative({.name = "smollm3",
                                        .architecture = "SmolLM3ForCausalLM",
                                        .defaults = defaults,
                                        .read = read,
                                        .write = write,
                                        .gguf = {.architecture = "smollm3", .imply = imply_gguf}});

}  // namespace quern::model
