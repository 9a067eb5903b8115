#include "model/families/llama_like.h"

namespace quern::model {

ModelConfig llama_defaults(std::string family) {
  ModelConfig config;
  config.family = std::move(family);
  config.norm = ops::NormKind::rms;
  config.norm_eps = 1e-6;
  config.norm_bias = false;
  config.activation = ops::Activation::silu;
  config.gated_mlp = true;
  config.qkv_bias = config.output_bias = config.mlp_bias = false;
  config.positions = Positions::rope;
  config.tied_embeddings = false;
  return config;
}

void read_llama(ConfigReader& reader, ModelConfig& config, const LlamaKeys& keys) {
  reader.common(config);
  config.layers = reader.size("num_hidden_layers");
  config.hidden = reader.size("hidden_size");
  config.heads = reader.size("num_attention_heads");
  config.kv_heads = reader.integer("num_key_value_heads", config.kv_heads);
  config.head_dim = reader.integer("head_dim", config.head_dim);
  config.intermediate = reader.size("intermediate_size");
  config.max_positions = reader.integer("max_position_embeddings", 2048);
  config.norm_eps = reader.number(keys.norm_eps, config.norm_eps);
  config.activation = reader.activation(keys.activation, std::string(activation_name(config.activation)));
  reader.rope(config, keys.partial_rotary);
}

nlohmann::ordered_json write_llama(const ModelConfig& config, const LlamaKeys& keys) {
  nlohmann::ordered_json json{{"num_hidden_layers", config.layers},
                              {"hidden_size", config.hidden},
                              {"num_attention_heads", config.heads},
                              {"num_key_value_heads", config.kv_heads},
                              {"head_dim", config.head_dim},
                              {"intermediate_size", config.intermediate},
                              {"max_position_embeddings", config.max_positions},
                              {keys.norm_eps, config.norm_eps},
                              {keys.activation, activation_name(config.activation)},
                              {"attention_dropout", 0.0}};
  write_rope(config, json);
  return json;
}

std::vector<TensorName> llama_tensors(const ModelConfig& config, std::vector<ModuleName> others) {
  const ModuleName llama[] = {{"model.embed_tokens", {"embedding"}},
                              {"input_layernorm", {"attention_norm"}},
                              {"self_attn.q_proj", {"attention.q"}},
                              {"self_attn.k_proj", {"attention.k"}},
                              {"self_attn.v_proj", {"attention.v"}},
                              {"self_attn.q_norm", {"attention.q_norm"}},
                              {"self_attn.k_norm", {"attention.k_norm"}},
                              {"self_attn.o_proj", {"attention.o"}},
                              {"post_attention_layernorm", {"mlp_norm"}},
                              {"mlp.gate_proj", {"mlp.gate"}},
                              {"mlp.up_proj", {"mlp.up"}},
                              {"mlp.down_proj", {"mlp.down"}},
                              {"mlp.gate", {"mlp.router"}},
                              {"mlp.experts.*.gate_proj", {"mlp.experts.*.gate"}},
                              {"mlp.experts.*.up_proj", {"mlp.experts.*.up"}},
                              {"mlp.experts.*.down_proj", {"mlp.experts.*.down"}},
                              {"mlp.shared_expert_gate", {"mlp.shared_gate"}},
                              {"mlp.shared_expert.gate_proj", {"mlp.shared.gate"}},
                              {"mlp.shared_expert.up_proj", {"mlp.shared.up"}},
                              {"mlp.shared_expert.down_proj", {"mlp.shared.down"}},
                              {"model.norm", {"final_norm"}},
                              {"lm_head", {"head"}}};
  std::vector<ModuleName> rows = std::move(others);
  rows.insert(rows.end(), std::begin(llama), std::end(llama));
  return tensor_names(config, "model.layers.", rows);
}

std::vector<TensorName> llama_tensors(const ModelConfig& config) { return llama_tensors(config, {}); }

bool llama_ignores(std::string_view name) {
  return name.ends_with(".rotary_emb.inv_freq") || name == "lm_head.weight";
}

void pair_neighbours(ModelConfig& config) { config.rope.half_split = false; }

}  // namespace quern::model
