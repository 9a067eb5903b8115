// MPNet (Song et al. 2020, arXiv 2004.09297): BERT's form without segments; positions are learned and relative at once.
#include "model/families/encoder_like.h"
#include "model/families/families.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = encoder_defaults("mpnet");
  config.positions = Positions::both;
  config.position_offset = 2;
  config.head_activation = ops::Activation::tanh;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  read_encoder(reader, config);
  reader.expect_size("relative_attention_num_buckets",
                     config.relative_buckets);  // transformers takes 32 always
  set_head_activation(config, {});
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_encoder(config);
  json["relative_attention_num_buckets"] = config.relative_buckets;
  return json;
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  const bool words = config.head == Head::masked_lm;
  std::vector<ModuleName> rows = {{"attention.attn.q", {"attention.q"}},
                                  {"attention.attn.k", {"attention.k"}},
                                  {"attention.attn.v", {"attention.v"}},
                                  {"attention.attn.o", {"attention.o"}},
                                  {"attention.LayerNorm", {"attention_norm"}},
                                  {"intermediate.dense", {"mlp.up"}},
                                  {"output.dense", {"mlp.down"}},
                                  {"output.LayerNorm", {"mlp_norm"}},
                                  {"mpnet.encoder.relative_attention_bias", {"relative"}},
                                  {words                       ? "lm_head.dense"
                                   : config.head == Head::none ? "mpnet.pooler.dense"
                                                               : "classifier.dense",
                                   {"head_dense"}},
                                  {"lm_head.layer_norm", {"head_norm"}}};
  add_embeddings("mpnet.", rows);
  add_label_heads(config, rows);
  rows.push_back({!words                   ? "classifier.out_proj"
                  : config.tied_embeddings ? "lm_head"
                                           : "lm_head.decoder",
                  {"head"}});
  return tensor_names(config, "mpnet.encoder.layer.", rows);
}

}  // namespace

const Family kMpNet = encoder_relative({.name = "mpnet",
                                        .architecture = "MPNet",
                                        .prefix = "mpnet.",
                                        .defaults = defaults,
                                        .read = read,
                                        .write = write,
                                        .tensors = tensors});

}  // namespace quern::model
