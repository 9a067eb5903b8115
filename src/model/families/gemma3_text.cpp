// Gemma 3, its language model (Gemma Team 2025, arXiv 2503.19786): Gemma 2 with normed queries and keys in place
// of soft limits, and a slower rotation in the layers without a window, one of six.
#include <algorithm>

#include "model/families/families.h"
#include "model/families/gemma_like.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = gemma_defaults("gemma3_text");
  config.layout = nn::BlockLayout::sandwich;
  config.qk_norm = nn::QkNorm::head;
  config.rope.theta = 1e6;
  config.local_rope_theta = 1e4;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  const int64_t pattern = std::max<int64_t>(reader.integer("sliding_window_pattern", 6), 1);
  read_gemma(reader, config, [=](int64_t layer) { return (layer + 1) % pattern == 0; });
  config.local_rope_theta = reader.local_rope_theta(config.local_rope_theta);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_gemma(config);
  json["rope_local_base_freq"] = config.local_rope_theta > 0.0 ? config.local_rope_theta : config.rope.theta;
  return json;
}

void imply_gguf(ModelConfig& config) { imply_gemma(config, 6, 62); }

}  // namespace

const Family kGemma3Text = llama_relative({.name = "gemma3_text",
                                           .architecture = "Gemma3ForCausalLM",
                                           .classifier = "Gemma3TextForSequenceClassification",
                                           .defaults = defaults,
                                           .read = read,
                                           .write = write,
                                           .tensors = gemma_tensors,
                                           .gguf = {.architecture = "gemma3", .imply = imply_gguf}});

}  // namespace quern::model
