// DistilBERT (Sanh et al. 2019, arXiv 1910.01108): BERT without segments and without a pooler.
#include "model/families/encoder_like.h"
#include "model/families/families.h"

namespace quern::model {

namespace {

ModelConfig defaults() { return encoder_defaults("distilbert"); }

void read(ConfigReader& reader, ModelConfig& config) {
  reader.common(config);
  config.layers = reader.size("n_layers");
  config.hidden = reader.size("dim");
  config.heads = reader.size("n_heads");
  config.intermediate = reader.size("hidden_dim");
  config.max_positions = reader.integer("max_position_embeddings", 512);
  config.activation = reader.activation("activation", "gelu");
  config.dropout = reader.number("dropout", 0.1);
  set_head_activation(
      config,
      {.pooler = ops::Activation::identity, .sequence = ops::Activation::relu, .words = config.activation});
}

nlohmann::ordered_json write(const ModelConfig& config) {
  return {{"n_layers", config.layers},
          {"dim", config.hidden},
          {"n_heads", config.heads},
          {"hidden_dim", config.intermediate},
          {"max_position_embeddings", config.max_positions},
          {"activation", activation_name(config.activation)},
          {"dropout", config.dropout},
          {"attention_dropout", config.dropout},
          {"sinusoidal_pos_embds", false}};
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  const bool words = config.head == Head::masked_lm;
  std::vector<ModuleName> rows = {{"attention.q_lin", {"attention.q"}},
                                  {"attention.k_lin", {"attention.k"}},
                                  {"attention.v_lin", {"attention.v"}},
                                  {"attention.out_lin", {"attention.o"}},
                                  {"sa_layer_norm", {"attention_norm"}},
                                  {"ffn.lin1", {"mlp.up"}},
                                  {"ffn.lin2", {"mlp.down"}},
                                  {"output_layer_norm", {"mlp_norm"}},
                                  {words ? "vocab_transform" : "pre_classifier", {"head_dense"}},
                                  {"vocab_layer_norm", {"head_norm"}}};
  add_embeddings("distilbert.", rows);
  add_label_heads(config, rows);
  rows.push_back({words ? "vocab_projector" : "classifier", {"head"}});
  return tensor_names(config, "distilbert.transformer.layer.", rows);
}

}  // namespace

const Family kDistilBert = encoder_relative({.name = "distilbert",
                                             .architecture = "DistilBert",
                                             .prefix = "distilbert.",
                                             .defaults = defaults,
                                             .read = read,
                                             .write = write,
                                             .tensors = tensors,
                                             .gguf = {.architecture = "bert",
                                                      .without = "token_types.weight",
                                                      .imply = imply_bert_gguf,
                                                      .tensors = bert_gguf_tensors}});

}  // namespace quern::model
