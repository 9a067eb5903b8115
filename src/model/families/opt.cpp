// OPT (Zhang et al. 2022, arXiv 2205.01068): GPT-3 with ReLU; its table of positions begins with two rows of no use.
// 350M has its norms after the branches, and embeddings narrower than its blocks.
#include "model/families/config_reader.h"
#include "model/families/families.h"
#include "model/families/tensor_names.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config;
  config.family = "opt";
  config.activation = ops::Activation::relu;
  config.position_offset = 2;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  reader.common(config);
  config.layers = reader.size("num_hidden_layers");
  config.hidden = reader.size("hidden_size");
  config.heads = reader.size("num_attention_heads");
  config.intermediate = reader.size("ffn_dim");
  config.max_positions = reader.integer("max_position_embeddings", 2048);
  config.activation = reader.activation("activation_function", "relu");
  config.qkv_bias = config.output_bias = config.mlp_bias = reader.boolean("enable_bias", true);
  if (!reader.boolean("do_layer_norm_before", true)) config.layout = nn::BlockLayout::post_norm;
  config.dropout = reader.number("dropout", 0.1);
  config.init_std = reader.number("init_std", config.init_std);
  config.embedding_size = reader.integer("word_embed_proj_dim", 0);
  reader.expect("layer_norm_elementwise_affine", true);
  reader.expect("_remove_final_layer_norm", false);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  return {{"num_hidden_layers", config.layers},
          {"hidden_size", config.hidden},
          {"word_embed_proj_dim", config.embedding_size},
          {"num_attention_heads", config.heads},
          {"ffn_dim", config.intermediate},
          {"max_position_embeddings", config.max_positions},
          {"activation_function", activation_name(config.activation)},
          {"enable_bias", config.qkv_bias},
          {"do_layer_norm_before", config.layout != nn::BlockLayout::post_norm},
          {"dropout", config.dropout},
          {"attention_dropout", 0.0},
          {"init_std", config.init_std}};
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  const ModuleName rows[] = {{"model.decoder.embed_tokens", {"embedding"}},
                             {"model.decoder.project_in", {"embedding_projection"}},
                             {"model.decoder.embed_positions", {"position"}},
                             {"self_attn_layer_norm", {"attention_norm"}},
                             {"self_attn.q_proj", {"attention.q"}},
                             {"self_attn.k_proj", {"attention.k"}},
                             {"self_attn.v_proj", {"attention.v"}},
                             {"self_attn.out_proj", {"attention.o"}},
                             {"final_layer_norm", {"mlp_norm"}},
                             {"fc1", {"mlp.up"}},
                             {"fc2", {"mlp.down"}},
                             {"model.decoder.final_layer_norm", {"final_norm"}},
                             {"model.decoder.project_out", {"head_projection"}},
                             {"lm_head", {"head"}}};
  return tensor_names(config, "model.decoder.layers.", rows);
}

bool ignores(std::string_view name) { return name == "lm_head.weight"; }

}  // namespace

const Family kOpt{.name = "opt",
                  .architecture = "OPTForCausalLM",
                  .prefix = "model.",
                  .defaults = defaults,
                  .read = read,
                  .write = write,
                  .tensors = tensors,
                  .ignores = ignores};

}  // namespace quern::model
