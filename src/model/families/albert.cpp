// ALBERT (Lan et al. 2019, arXiv 1909.11942): narrow embeddings, and layers that share their weights.
#include "model/families/encoder_like.h"
#include "model/families/families.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = encoder_defaults("albert");
  config.activation = ops::Activation::gelu_tanh;
  config.embedding_size = 128;
  config.distinct_layers = 1;
  config.token_types = 2;
  config.head_activation = ops::Activation::tanh;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  read_encoder(reader, config);
  config.activation = reader.activation("hidden_act", "gelu_new");
  config.embedding_size = reader.integer("embedding_size", config.embedding_size);
  config.distinct_layers = reader.integer("num_hidden_groups", config.distinct_layers);
  config.token_types = reader.integer("type_vocab_size", config.token_types);
  reader.expect_size("inner_group_num", 1);
  set_head_activation(config, {.words = config.activation});
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_bert(config);
  json["embedding_size"] = config.embedding_size;
  json["num_hidden_groups"] = config.distinct_layers;
  json["inner_group_num"] = 1;
  json["classifier_dropout_prob"] = config.dropout;
  return json;
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  const bool words = config.head == Head::masked_lm;
  std::vector<ModuleName> rows = {{"albert_layers.0.attention.query", {"attention.q"}},
                                  {"albert_layers.0.attention.key", {"attention.k"}},
                                  {"albert_layers.0.attention.value", {"attention.v"}},
                                  {"albert_layers.0.attention.dense", {"attention.o"}},
                                  {"albert_layers.0.attention.LayerNorm", {"attention_norm"}},
                                  {"albert_layers.0.ffn", {"mlp.up"}},
                                  {"albert_layers.0.ffn_output", {"mlp.down"}},
                                  {"albert_layers.0.full_layer_layer_norm", {"mlp_norm"}},
                                  {"albert.encoder.embedding_hidden_mapping_in", {"embedding_projection"}},
                                  {words ? "predictions.dense" : "albert.pooler", {"head_dense"}},
                                  {"predictions.LayerNorm", {"head_norm"}}};
  add_embeddings("albert.", rows);
  add_label_heads(config, rows);
  rows.push_back({!words                   ? "classifier"
                  : config.tied_embeddings ? "predictions"
                                           : "predictions.decoder",
                  {"head"}});
  return tensor_names(config, "albert.encoder.albert_layer_groups.", rows);
}

}  // namespace

const Family kAlbert = encoder_relative({.name = "albert",
                                         .architecture = "Albert",
                                         .prefix = "albert.",
                                         .defaults = defaults,
                                         .read = read,
                                         .write = write,
                                         .tensors = tensors});

}  // namespace quern::model
