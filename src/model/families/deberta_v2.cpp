// DeBERTa 2 and 3 (He et al. 2021, arXiv 2006.03654, 2111.09543): distances are vectors that queries and keys meet.
#include "model/families/encoder_like.h"
#include "model/families/families.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = encoder_defaults("deberta-v2");
  config.norm_eps = 1e-7;
  config.positions = Positions::disentangled;
  config.relative_buckets = 256;
  config.relative_max_distance = 512;
  config.relative_norm = true;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  read_encoder(reader, config);
  config.token_types = reader.integer("type_vocab_size", 0);
  config.relative_buckets = reader.integer("position_buckets", -1);
  config.relative_max_distance = reader.integer("max_relative_positions", -1);
  if (config.relative_max_distance < 1) config.relative_max_distance = config.max_positions;
  config.relative_norm = reader.text("norm_rel_ebd", "none") == "layer_norm";
  reader.expect("relative_attention", true);
  reader.expect("position_biased_input", false);
  reader.expect("share_att_key", true);
  reader.expect("legacy", true);
  reader.expect_words("pos_att_type", {"c2p", "p2c"});
  reader.expect_size("embedding_size", config.hidden);
  reader.expect_size("conv_kernel_size", 0);
  const ops::Activation pooled = reader.activation("pooler_hidden_act", "gelu");
  set_head_activation(config,
                      {.pooler = ops::Activation::identity, .sequence = pooled, .words = config.activation});
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_bert(config);
  json["relative_attention"] = true;
  json["position_biased_input"] = false;
  json["share_att_key"] = true;
  json["pos_att_type"] = {"p2c", "c2p"};
  json["position_buckets"] = config.relative_buckets;
  json["max_relative_positions"] = config.relative_max_distance;
  json["norm_rel_ebd"] = config.relative_norm ? "layer_norm" : "none";
  json["pooler_hidden_size"] = config.hidden;
  json["pooler_dropout"] = 0;
  const bool sequence = config.head == Head::sequence_classification;
  json["pooler_hidden_act"] = activation_name(sequence ? config.head_activation : ops::Activation::gelu_erf);
  return json;
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  const bool words = config.head == Head::masked_lm;
  std::vector<ModuleName> rows = {
      {"attention.self.query_proj", {"attention.q"}},
      {"attention.self.key_proj", {"attention.k"}},
      {"attention.self.value_proj", {"attention.v"}},
      {"deberta.encoder.rel_embeddings", {"distances"}},
      {"deberta.encoder.LayerNorm", {"distance_norm"}},
      {words ? "cls.predictions.transform.dense" : "pooler.dense", {"head_dense"}},
      {"cls.predictions.transform.LayerNorm", {"head_norm"}}};
  const std::vector<ModuleName> blocks = bert_blocks();
  rows.insert(rows.end(), blocks.begin(), blocks.end());
  add_embeddings("deberta.", rows);
  add_label_heads(config, rows);
  rows.push_back({!words                   ? "classifier"
                  : config.tied_embeddings ? "cls.predictions"
                                           : "cls.predictions.decoder",
                  {"head"}});
  return tensor_names(config, "deberta.encoder.layer.", rows);
}

}  // namespace

const Family kDebertaV2 = encoder_relative({.name = "deberta-v2",
                                            .architecture = "DebertaV2",
                                            .prefix = "deberta.",
                                            .defaults = defaults,
                                            .read = read,
                                            .write = write,
                                            .tensors = tensors});

}  // namespace quern::model
