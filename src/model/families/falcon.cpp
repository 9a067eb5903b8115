// Falcon (Almazrouei et al. 2023, arXiv 2311.16867): attention and MLP side by side, few key-value heads, no biases.
// 7B has one norm and one key-value head, 40B and 180B two norms and groups, 11B one norm and groups; those of
// RefinedWeb have ALiBi, biases and blocks like GPT-2's.
#include "model/families/config_reader.h"
#include "model/families/families.h"
#include "model/families/gguf_names.h"

namespace quern::model {

namespace {

using nn::BlockLayout;

ModelConfig defaults() {
  ModelConfig config;
  config.family = "falcon";
  config.layout = BlockLayout::parallel;
  config.activation = ops::Activation::gelu_erf;
  config.qkv_bias = config.output_bias = config.mlp_bias = false;
  config.positions = Positions::rope;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  reader.common(config);
  config.layers = reader.size("num_hidden_layers");
  config.hidden = reader.size("hidden_size");
  config.heads = reader.size("num_attention_heads");
  config.intermediate = reader.integer("ffn_hidden_size", 0);
  config.max_positions = reader.integer("max_position_embeddings", 2048);
  config.norm_eps = reader.number("layer_norm_epsilon", config.norm_eps);
  config.activation = reader.activation("activation", "gelu");
  config.qkv_bias = config.output_bias = config.mlp_bias = reader.boolean("bias", false);
  config.dropout = reader.number("hidden_dropout", 0.0);
  if (reader.boolean("new_decoder_architecture", false)) {
    config.kv_heads = reader.integer("num_kv_heads", config.heads);
    if (reader.integer("num_ln_in_parallel_attn", 2) == 2) config.layout = BlockLayout::parallel_norms;
  } else {
    config.kv_heads = reader.boolean("multi_query", true) ? 1 : config.heads;
    if (!reader.boolean("parallel_attn", true)) config.layout = BlockLayout::pre_norm;
  }
  if (reader.boolean("alibi", false)) {
    config.positions = Positions::alibi;
    config.alibi_scaled = true;
  } else {
    reader.rope(config);
  }
}

nlohmann::ordered_json write(const ModelConfig& config) {
  const bool groups = config.kv_heads > 1 && config.kv_heads < config.heads;
  const bool two_norms = config.layout == BlockLayout::parallel_norms;
  nlohmann::ordered_json json{{"num_hidden_layers", config.layers},
                              {"hidden_size", config.hidden},
                              {"num_attention_heads", config.heads},
                              {"num_kv_heads", config.kv_heads},
                              {"ffn_hidden_size", config.intermediate},
                              {"max_position_embeddings", config.max_positions},
                              {"layer_norm_epsilon", config.norm_eps},
                              {"activation", activation_name(config.activation)},
                              {"bias", config.qkv_bias},
                              {"hidden_dropout", config.dropout},
                              {"attention_dropout", 0.0},
                              {"alibi", config.positions == Positions::alibi},
                              {"multi_query", config.kv_heads == 1},
                              {"parallel_attn", config.layout != BlockLayout::pre_norm},
                              {"new_decoder_architecture", groups || two_norms},
                              {"num_ln_in_parallel_attn", two_norms ? 2 : 1}};
  if (config.positions == Positions::rope) write_rope(config, json);
  return json;
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  const bool two_norms = config.layout == BlockLayout::parallel_norms;
  const ModuleName joined{.file = "self_attention.query_key_value",
                          .modules = {"attention.q", "attention.k", "attention.v"},
                          .grouped = true};
  const ModuleName rows[] = {{"transformer.word_embeddings", {"embedding"}},
                             {two_norms ? "ln_attn" : "input_layernorm", {"attention_norm"}},
                             joined,
                             {"self_attention.dense", {"attention.o"}},
                             {two_norms ? "ln_mlp" : "post_attention_layernorm", {"mlp_norm"}},
                             {"mlp.dense_h_to_4h", {"mlp.up"}},
                             {"mlp.dense_4h_to_h", {"mlp.down"}},
                             {"transformer.ln_f", {"final_norm"}},
                             {"lm_head", {"head"}}};
  return tensor_names(config, "transformer.h.", rows);
}

std::vector<TensorName> normed_tensors(const ModelConfig& config) {
  if (config.layout != BlockLayout::parallel_norms) return gguf_joined_tensors(config);
  return gguf_tensors(config, {{"attn_qkv", {"attention.q", "attention.k", "attention.v"}},
                               {"attn_norm_2", {"attention_norm"}},
                               {"attn_norm", {"mlp_norm"}}});
}

bool ignores(std::string_view name) { return name == "lm_head.weight"; }

}  // namespace

const Family kFalcon{.name = "falcon",
                     .architecture = "FalconForCausalLM",
                     .prefix = "transformer.",
                     .defaults = defaults,
                     .read = read,
                     .write = write,
                     .tensors = tensors,
                     .ignores = ignores,
                     .gguf = {.architecture = "falcon", .tensors = normed_tensors}};

}  // namespace quern::model
