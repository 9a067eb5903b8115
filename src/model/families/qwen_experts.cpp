#include "model/families/qwen_experts.h"

#include <algorithm>

namespace quern::model {

void read_qwen_experts(ConfigReader& reader, ModelConfig& config) {
  config.experts = reader.integer("num_experts", reader.integer("num_local_experts", config.experts));
  config.experts_per_token = reader.integer("num_experts_per_tok", config.experts_per_token);
  config.expert_intermediate = reader.integer("moe_intermediate_size", config.expert_intermediate);
  config.renormalise_experts = reader.boolean("norm_topk_prob", false);
  const int64_t step = std::max<int64_t>(reader.integer("decoder_sparse_step", 1), 1);
  const std::vector<int64_t> dense = reader.tokens("mlp_only_layers");
  for (int64_t layer = 0; layer < std::min(config.layers, kMaxLayers); ++layer) {
    const bool listed = std::ranges::find(dense, layer) != dense.end();
    if (listed || (layer + 1) % step != 0) config.dense_layers.push_back(layer);
  }
}

void write_qwen_experts(const ModelConfig& config, nlohmann::ordered_json& json) {
  json["num_experts"] = config.experts;
  json["num_experts_per_tok"] = config.experts_per_token;
  json["moe_intermediate_size"] = config.expert_intermediate;
  json["norm_topk_prob"] = config.renormalise_experts;
  json["decoder_sparse_step"] = 1;
  json["mlp_only_layers"] = config.dense_layers;
}

}  // namespace quern::model
