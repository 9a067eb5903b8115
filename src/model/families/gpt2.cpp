// GPT-2 (Radford et al. 2019): learned positions, pre-norm with biases everywhere, fused qkv stored as [in,
// out].
#include "model/families/config_reader.h"
#include "model/families/families.h"
#include "model/families/gguf_names.h"
#include "model/families/tensor_names.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config;
  config.family = "gpt2";
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
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
  const ModuleName rows[] = {{"transformer.wte", {"embedding"}},
                             {"transformer.wpe", {"position"}},
                             {"ln_1", {"attention_norm"}},
                             {"attn.c_attn", {"attention.q", "attention.k", "attention.v"}, true},
                             {"attn.c_proj", {"attention.o"}, true},
                             {"ln_2", {"mlp_norm"}},
                             {"mlp.c_fc", {"mlp.up"}, true},
                             {"mlp.c_proj", {"mlp.down"}, true},
                             {"transformer.ln_f", {"final_norm"}},
                             {"lm_head", {"head"}}};
  return tensor_names(config, "transformer.h.", rows);
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
                   .ignores = ignores,
                   .gguf = {.architecture = "gpt2", .tensors = gguf_joined_tensors}};

}  // namespace quern::model
