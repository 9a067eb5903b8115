// GPT-2 (Radford et al. 2019): learned positions, pre-norm with biases everywhere, fused qkv stored as [in,
// out].
#include "model/families/config_reader.h"
#include "model/families/families.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config;
  config.family = "gpt2";
  return config;
}

Result<ModelConfig> read(const nlohmann::json& json) {
  ModelConfig config = defaults();
  ConfigReader reader(json);
  reader.common(config);
  config.layers = reader.size("n_layer");
  config.hidden = reader.size("n_embd");
  config.heads = reader.size("n_head");
  config.intermediate = reader.integer("n_inner", 0);
  config.max_positions = reader.size("n_positions");
  config.norm_eps = reader.number("layer_norm_epsilon", config.norm_eps);
  config.activation = reader.activation("activation_function", "gelu_new");
  config.attention_scale = reader.boolean("scale_attn_weights", true) ? 0.0 : 1.0;
  config.dropout = reader.number("resid_pdrop", 0.1);
  reader.expect("scale_attn_by_inverse_layer_idx", false);
  reader.expect("add_cross_attention", false);
  QUERN_CHECK(reader.finish());
  return config;
}

nlohmann::ordered_json write(const ModelConfig& config) {
  return {{"n_layer", config.layers},
          {"n_embd", config.hidden},
          {"n_head", config.heads},
          {"n_inner", config.intermediate},
          {"n_positions", config.max_positions},
          {"layer_norm_epsilon", config.norm_eps},
          {"activation_function", activation_name(config.activation)},
          {"scale_attn_weights", config.attention_scale != 1.0},
          {"resid_pdrop", config.dropout},
          {"embd_pdrop", config.dropout},
          {"attn_pdrop", 0.0}};
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  std::vector<TensorName> names{{"transformer.wte.weight", {"embedding.weight"}},
                                {"transformer.wpe.weight", {"position.weight"}}};
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string file = "transformer.h." + std::to_string(layer) + ".";
    const std::string ours = "blocks." + std::to_string(layer) + ".";
    for (const std::string part : {"weight", "bias"}) {
      const bool matrix = part == "weight";
      const std::string qkv = ours + "attention.";
      names.push_back({file + "ln_1." + part, {ours + "attention_norm." + part}});
      names.push_back(
          {file + "attn.c_attn." + part, {qkv + "q." + part, qkv + "k." + part, qkv + "v." + part}, matrix});
      names.push_back({file + "attn.c_proj." + part, {qkv + "o." + part}, matrix});
      names.push_back({file + "ln_2." + part, {ours + "mlp_norm." + part}});
      names.push_back({file + "mlp.c_fc." + part, {ours + "mlp.up." + part}, matrix});
      names.push_back({file + "mlp.c_proj." + part, {ours + "mlp.down." + part}, matrix});
    }
  }
  names.push_back({"transformer.ln_f.weight", {"final_norm.weight"}});
  names.push_back({"transformer.ln_f.bias", {"final_norm.bias"}});
  if (!config.tied_embeddings) names.push_back({"lm_head.weight", {"head.weight"}});
  return names;
}

// The causal mask, which old versions saved, and the head of a tied model.
bool ignores(std::string_view name) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") || name == "lm_head.weight";
}

}  // namespace

const Family kGpt2{.name = "gpt2",
                   .architecture = "GPT2LMHeadModel",
                   .prefix = "transformer.",
                   .defaults = defaults,
                   .read = read,
                   .write = write,
                   .tensors = tensors,
                   .ignores = ignores};

}  // namespace quern::model
