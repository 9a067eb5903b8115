// BART (Lewis et al. 2020, arXiv 1910.13461): norms after each branch and after the embeddings; its tables of positions
// begin with two rows of no use.
#include "model/families/config_reader.h"
#include "model/families/families.h"
#include "model/families/seq2seq_names.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config;
  config.family = "bart";
  config.kind = Kind::encoder_decoder;
  config.layout = nn::BlockLayout::post_norm;
  config.activation = ops::Activation::gelu_erf;
  config.position_offset = 2;
  config.embedding_norm = true;
  config.head_bias = true;
  config.start_token = 2;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  reader.common(config);
  config.hidden = reader.size("d_model");
  config.encoder_layers = reader.size("encoder_layers");
  config.layers = reader.size("decoder_layers");
  config.encoder_heads = reader.size("encoder_attention_heads");
  config.heads = reader.size("decoder_attention_heads");
  config.encoder_intermediate = reader.size("encoder_ffn_dim");
  config.intermediate = reader.size("decoder_ffn_dim");
  config.max_positions = reader.integer("max_position_embeddings", 1024);
  config.activation = reader.activation("activation_function", "gelu");
  config.dropout = reader.number("dropout", 0.1);
  config.init_std = reader.number("init_std", config.init_std);
  config.start_token = reader.integer("decoder_start_token_id", config.start_token);
  if (reader.boolean("scale_embedding", false)) config.embedding_scale = 0.0;
  // Of BARTs between versions 2.11 and 3: what mBART and Marian do became families of their own.
  reader.expect("normalize_before", false);
  reader.expect("add_final_layer_norm", false);
  reader.expect("static_position_embeddings", false);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  return {{"d_model", config.hidden},
          {"encoder_layers", config.encoder_layers},
          {"decoder_layers", config.layers},
          {"encoder_attention_heads", config.encoder_heads},
          {"decoder_attention_heads", config.heads},
          {"encoder_ffn_dim", config.encoder_intermediate},
          {"decoder_ffn_dim", config.intermediate},
          {"max_position_embeddings", config.max_positions},
          {"activation_function", activation_name(config.activation)},
          {"dropout", config.dropout},
          {"init_std", config.init_std},
          {"decoder_start_token_id", config.start_token},
          {"scale_embedding", config.embedding_scale != 1.0},
          {"is_encoder_decoder", true}};
}

std::vector<ModuleName> block_rows() {
  return {{"self_attn.q_proj", {"attention.q"}},
          {"self_attn.k_proj", {"attention.k"}},
          {"self_attn.v_proj", {"attention.v"}},
          {"self_attn.out_proj", {"attention.o"}},
          {"self_attn_layer_norm", {"attention_norm"}},
          {"encoder_attn.q_proj", {"cross_attention.q"}},
          {"encoder_attn.k_proj", {"cross_attention.k"}},
          {"encoder_attn.v_proj", {"cross_attention.v"}},
          {"encoder_attn.out_proj", {"cross_attention.o"}},
          {"encoder_attn_layer_norm", {"cross_norm"}},
          {"fc1", {"mlp.up"}},
          {"fc2", {"mlp.down"}},
          {"final_layer_norm", {"mlp_norm"}},
          {"model.shared", {"embedding"}},
          {"lm_head", {"head"}}};
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  std::vector<ModuleName> encoder = block_rows(), decoder = block_rows();
  encoder.insert(encoder.end(), {{"model.encoder.embed_positions", {"position"}},
                                 {"model.encoder.layernorm_embedding", {"embedding_norm"}}});
  decoder.insert(decoder.end(), {{"model.decoder.embed_positions", {"position"}},
                                 {"model.decoder.layernorm_embedding", {"embedding_norm"}}});
  std::vector<TensorName> names = seq2seq_names(config, {"model.encoder.layers.", std::move(encoder)},
                                                {"model.decoder.layers.", std::move(decoder)});
  for (TensorName& name : names) {
    if (name.parameters.front() != "decoder.head.bias") continue;
    name.file = "final_logits_bias";
    name.stacked = true;  // [1, V]
  }
  return names;
}

bool ignores(std::string_view name) {
  return name.ends_with(".embed_tokens.weight") || name == "lm_head.weight";
}

}  // namespace

const Family kBart{.name = "bart",
                   .architecture = "BartForConditionalGeneration",
                   .prefix = "model.",
                   .defaults = defaults,
                   .read = read,
                   .write = write,
                   .tensors = tensors,
                   .ignores = ignores};

}  // namespace quern::model
