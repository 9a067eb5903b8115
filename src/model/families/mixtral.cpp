// Mixtral (Jiang et al. 2024, arXiv 2401.04088): Mistral with eight experts of which a token meets two.
#include "model/families/families.h"
#include "model/families/llama_like.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = llama_defaults("mixtral");
  config.norm_eps = 1e-5;
  config.rope.theta = 1e6;
  config.experts = 8;
  config.experts_per_token = 2;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  config.kv_heads = 8;
  read_llama(reader, config);
  config.experts = reader.integer("num_local_experts", config.experts);
  config.experts_per_token = reader.integer("num_experts_per_tok", config.experts_per_token);
  config.window = reader.integer("sliding_window", 0);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config);
  json["num_local_experts"] = config.experts;
  json["num_experts_per_tok"] = config.experts_per_token;
  json["sliding_window"] = or_null(config.window);
  return json;
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  return llama_tensors(config, {{"block_sparse_moe.gate", {"mlp.router"}},
                                {"block_sparse_moe.experts.*.w1", {"mlp.experts.*.gate"}},
                                {"block_sparse_moe.experts.*.w3", {"mlp.experts.*.up"}},
                                {"block_sparse_moe.experts.*.w2", {"mlp.experts.*.down"}}});
}

}  // namespace

const Family kMixtral =
    llama_relative({.name = "mixtral",
                    .architecture = "MixtralForCausalLM",
                    .defaults = defaults,
                    .read = read,
                    .write = write,
                    .tensors = tensors,
                    .gguf = {.architecture = "llama", .marker = "expert_count", .imply = pair_neighbours}});

}  // namespace quern::model
