// LLaMA 1 to 3 (Touvron et al. 2023, arXiv 2302.13971): rotary positions, RMS norms, SwiGLU, grouped queries.
#include "model/families/config_reader.h"
#include "model/families/families.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config;
  config.family = "llama";
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

Result<ModelConfig> read(const nlohmann::json& json) {
  ModelConfig config = defaults();
  ConfigReader reader(json);
  reader.common(config);
  config.layers = reader.size("num_hidden_layers");
  config.hidden = reader.size("hidden_size");
  config.heads = reader.size("num_attention_heads");
  config.kv_heads = reader.integer("num_key_value_heads", 0);
  config.head_dim = reader.integer("head_dim", 0);
  config.intermediate = reader.size("intermediate_size");
  config.max_positions = reader.integer("max_position_embeddings", 2048);
  config.norm_eps = reader.number("rms_norm_eps", config.norm_eps);
  config.activation = reader.activation("hidden_act", "silu");
  config.qkv_bias = config.output_bias = reader.boolean("attention_bias", false);
  config.mlp_bias = reader.boolean("mlp_bias", false);
  config.rope = reader.rope(config.resolved().head_dim, config.max_positions);
  QUERN_CHECK(reader.finish());
  return config;
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json{{"num_hidden_layers", config.layers},
                              {"hidden_size", config.hidden},
                              {"num_attention_heads", config.heads},
                              {"num_key_value_heads", config.kv_heads},
                              {"head_dim", config.head_dim},
                              {"intermediate_size", config.intermediate},
                              {"max_position_embeddings", config.max_positions},
                              {"rms_norm_eps", config.norm_eps},
                              {"hidden_act", activation_name(config.activation)},
                              {"attention_bias", config.qkv_bias},
                              {"mlp_bias", config.mlp_bias},
                              {"attention_dropout", 0.0}};
  write_rope(config, json);
  return json;
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  std::vector<TensorName> names{{"model.embed_tokens.weight", {"embedding.weight"}}};
  // The parts of a projection that the config gives a bias.
  const auto add = [&](const std::string& file, const std::string& ours, bool bias) {
    names.push_back({file + ".weight", {ours + ".weight"}});
    if (bias) names.push_back({file + ".bias", {ours + ".bias"}});
  };
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string file = "model.layers." + std::to_string(layer) + ".";
    const std::string ours = "blocks." + std::to_string(layer) + ".";
    add(file + "input_layernorm", ours + "attention_norm", false);
    for (const std::string part : {"q", "k", "v"}) {
      add(file + "self_attn." + part + "_proj", ours + "attention." + part, config.qkv_bias);
    }
    add(file + "self_attn.o_proj", ours + "attention.o", config.output_bias);
    add(file + "post_attention_layernorm", ours + "mlp_norm", false);
    for (const std::string part : {"gate", "up", "down"}) {
      add(file + "mlp." + part + "_proj", ours + "mlp." + part, config.mlp_bias);
    }
  }
  add("model.norm", "final_norm", false);
  if (!config.tied_embeddings) add("lm_head", "head", false);
  return names;
}

// Rotary frequencies, which old versions saved, and the head of a tied model.
bool ignores(std::string_view name) {
  return name.ends_with(".rotary_emb.inv_freq") || name == "lm_head.weight";
}

}  // namespace

const Family kLlama{.name = "llama",
                    .architecture = "LlamaForCausalLM",
                    .prefix = "model.",
                    .defaults = defaults,
                    .read = read,
                    .write = write,
                    .tensors = tensors,
                    .ignores = ignores};

}  // namespace quern::model
