// T5 (Raffel et al. 2020, arXiv 1910.10683): RMS norms before each branch, relative positions, no biases, unscaled scores.
// Version 1.1, Flan-T5 and mT5 (arXiv 2010.11934) have a gated MLP and an output projection of their own.
#include <fmt/format.h>

#include <cmath>

#include "model/families/config_reader.h"
#include "model/families/families.h"
#include "model/families/seq2seq_names.h"

namespace quern::model {

namespace {

ModelConfig t5(std::string_view family) {
  ModelConfig config;
  config.family = family;
  config.kind = Kind::encoder_decoder;
  config.norm = ops::NormKind::rms;
  config.norm_eps = 1e-6;
  config.activation = ops::Activation::relu;
  config.qkv_bias = config.output_bias = config.mlp_bias = false;
  config.positions = Positions::relative;
  config.attention_scale = 1.0;
  config.start_token = 0;
  return config;
}

ModelConfig defaults() { return t5("t5"); }

ModelConfig mt5_defaults() {
  ModelConfig config = t5("mt5");
  config.gated_mlp = true;
  config.activation = ops::Activation::gelu_tanh;
  return config;
}

// "relu", "gated-gelu", "gated-silu".
void read_mlp(ConfigReader& reader, ModelConfig& config) {
  const std::string activation = reader.text("feed_forward_proj", config.gated_mlp ? "gated-gelu" : "relu");
  constexpr std::string_view kGated = "gated-";
  config.gated_mlp = activation.starts_with(kGated);
  if (activation == "gated-gelu") {
    config.activation = ops::Activation::gelu_tanh;
    return;
  }
  const std::string name = config.gated_mlp ? activation.substr(kGated.size()) : activation;
  const nlohmann::json json{{"feed_forward_proj", name}};
  ConfigReader plain(json);
  config.activation = plain.activation("feed_forward_proj", "relu");
  if (!plain.finish().ok()) reader.expect_text("feed_forward_proj", "relu");
}

void read(ConfigReader& reader, ModelConfig& config) {
  reader.common(config);
  config.hidden = reader.size("d_model");
  config.heads = reader.size("num_heads");
  config.head_dim = reader.integer("d_kv", 64);
  config.intermediate = reader.size("d_ff");
  config.encoder_layers = reader.size("num_layers");
  config.layers = reader.integer("num_decoder_layers", config.encoder_layers);
  config.max_positions = reader.integer("n_positions", 512);
  config.relative_buckets = reader.integer("relative_attention_num_buckets", 32);
  config.relative_max_distance = reader.integer("relative_attention_max_distance", 128);
  config.norm_eps = reader.number("layer_norm_epsilon", config.norm_eps);
  config.dropout = reader.number("dropout_rate", 0.1);
  config.start_token = reader.integer("decoder_start_token_id", config.start_token);
  read_mlp(reader, config);
  // The first version alone scales what enters a tied projection.
  const bool scaled =
      reader.boolean("scale_decoder_outputs", config.tied_embeddings && config.family == "t5");
  config.final_state_scale = scaled ? 1.0 / std::sqrt(static_cast<double>(config.hidden)) : 1.0;
}

nlohmann::ordered_json write(const ModelConfig& config) {
  const bool gelu = config.activation == ops::Activation::gelu_tanh;
  const std::string name =
      gelu && config.gated_mlp ? "gelu" : std::string(activation_name(config.activation));
  return {{"d_model", config.hidden},
          {"num_heads", config.heads},
          {"d_kv", config.head_dim},
          {"d_ff", config.intermediate},
          {"num_layers", config.encoder_layers},
          {"num_decoder_layers", config.layers},
          {"n_positions", config.max_positions},
          {"relative_attention_num_buckets", config.relative_buckets},
          {"relative_attention_max_distance", config.relative_max_distance},
          {"layer_norm_epsilon", config.norm_eps},
          {"dropout_rate", config.dropout},
          {"initializer_factor", 1.0},
          {"feed_forward_proj", (config.gated_mlp ? "gated-" : "") + name},
          {"scale_decoder_outputs", config.final_state_scale != 1.0},
          {"decoder_start_token_id", config.start_token},
          {"is_encoder_decoder", true}};
}

std::vector<ModuleName> rows_of(const ModelConfig& config, const std::string& half, int64_t mlp_layer) {
  const std::string mlp = fmt::format("layer.{}.", mlp_layer);
  return {{"shared", {"embedding"}},
          {half + ".block.0.layer.0.SelfAttention.relative_attention_bias", {"relative"}},
          {"layer.0.layer_norm", {"attention_norm"}},
          {"layer.0.SelfAttention.q", {"attention.q"}},
          {"layer.0.SelfAttention.k", {"attention.k"}},
          {"layer.0.SelfAttention.v", {"attention.v"}},
          {"layer.0.SelfAttention.o", {"attention.o"}},
          {"layer.1.layer_norm", {"cross_norm"}},
          {"layer.1.EncDecAttention.q", {"cross_attention.q"}},
          {"layer.1.EncDecAttention.k", {"cross_attention.k"}},
          {"layer.1.EncDecAttention.v", {"cross_attention.v"}},
          {"layer.1.EncDecAttention.o", {"cross_attention.o"}},
          {mlp + "layer_norm", {"mlp_norm"}},
          {mlp + "DenseReluDense.wi_0", {"mlp.gate"}},
          {mlp + (config.gated_mlp ? "DenseReluDense.wi_1" : "DenseReluDense.wi"), {"mlp.up"}},
          {mlp + "DenseReluDense.wo", {"mlp.down"}},
          {half + ".final_layer_norm", {"final_norm"}},
          {"lm_head", {"head"}}};
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  return seq2seq_names(config, {"encoder.block.", rows_of(config, "encoder", 1)},
                       {"decoder.block.", rows_of(config, "decoder", 2)});
}

// How GGUF names the parts of one half.
std::vector<ModuleName> gguf_rows(bool encoder) {
  return {{"token_embd", {"embedding"}},
          {encoder ? "enc.blk.0.attn_rel_b" : "dec.blk.0.attn_rel_b", {"relative"}},
          {"attn_norm", {"attention_norm"}},
          {"attn_q", {"attention.q"}},
          {"attn_k", {"attention.k"}},
          {"attn_v", {"attention.v"}},
          {"attn_o", {"attention.o"}},
          {"cross_attn_norm", {"cross_norm"}},
          {"cross_attn_q", {"cross_attention.q"}},
          {"cross_attn_k", {"cross_attention.k"}},
          {"cross_attn_v", {"cross_attention.v"}},
          {"cross_attn_o", {"cross_attention.o"}},
          {"ffn_norm", {"mlp_norm"}},
          {"ffn_gate", {"mlp.gate"}},
          {"ffn_up", {"mlp.up"}},
          {"ffn_down", {"mlp.down"}},
          {encoder ? "enc.output_norm" : "dec.output_norm", {"final_norm"}},
          {"output", {"head"}}};
}

std::vector<TensorName> gguf_tensors_of_halves(const ModelConfig& config) {
  return seq2seq_names(config, {"enc.blk.", gguf_rows(true)}, {"dec.blk.", gguf_rows(false)});
}

// As llama.cpp computes: an MLP with gates has GELU. A tied projection is that of the first version, whose scale is that of
// transformers; llama.cpp leaves it out, which changes no order.
void imply_gguf(ModelConfig& config) {
  config.activation = config.gated_mlp ? ops::Activation::gelu_tanh : ops::Activation::relu;
  config.final_state_scale =
      config.tied_embeddings ? 1.0 / std::sqrt(static_cast<double>(config.hidden)) : 1.0;
}

// Copies of the shared table, and a table of cross-attention that the first versions saved and never read.
bool ignores(std::string_view name) {
  return name.ends_with(".embed_tokens.weight") || name == "lm_head.weight" ||
         name == "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
}

}  // namespace

const Family kT5{.name = "t5",
                 .architecture = "T5ForConditionalGeneration",
                 .defaults = defaults,
                 .read = read,
                 .write = write,
                 .tensors = tensors,
                 .ignores = ignores,
                 .gguf = {.architecture = "t5", .imply = imply_gguf, .tensors = gguf_tensors_of_halves}};

const Family kMt5{.name = "mt5",
                  .architecture = "MT5ForConditionalGeneration",
                  .defaults = mt5_defaults,
                  .read = read,
                  .write = write,
                  .tensors = tensors,
                  .ignores = ignores,
                  .gguf = {.architecture = "t5", .imply = imply_gguf, .tensors = gguf_tensors_of_halves}};

}  // namespace quern::model
