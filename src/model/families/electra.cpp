// ELECTRA (Clark et al. 2020, arXiv 2003.10555): a discriminator that tells replaced tokens, and the small generator
// that replaced them; embeddings may be narrower than the rest.
#include "model/families/encoder_like.h"
#include "model/families/families.h"

namespace quern::model {

namespace {

using ops::Activation;

ModelConfig defaults() {
  ModelConfig config = encoder_defaults("electra");
  config.token_types = 2;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  read_encoder(reader, config);
  config.embedding_size = reader.integer("embedding_size", 128);
  config.token_types = reader.integer("type_vocab_size", config.token_types);
  const bool judges = config.head == Head::discriminator;
  set_electra_activation(config, {.pooler = Activation::identity,
                                  .sequence = Activation::gelu_erf,
                                  .words = judges ? config.activation : Activation::gelu_erf});
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_bert(config);
  json["embedding_size"] = config.embedding_size;
  return json;
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  const bool words = config.head == Head::masked_lm, judges = config.head == Head::discriminator;
  std::vector<ModuleName> rows = bert_blocks();
  add_embeddings("electra.", rows);
  add_label_heads(config, rows);
  rows.insert(rows.end(), {{"electra.embeddings_project", {"embedding_projection"}},
                           {words    ? "generator_predictions.dense"
                            : judges ? "discriminator_predictions.dense"
                                     : "classifier.dense",
                            {"head_dense"}},
                           {"generator_predictions.LayerNorm", {"head_norm"}},
                           {words    ? "generator_lm_head"
                            : judges ? "discriminator_predictions.dense_prediction"
                                     : "classifier.out_proj",
                            {"head"}}});
  return tensor_names(config, "electra.encoder.layer.", rows);
}

}  // namespace

const Family kElectra = encoder_relative({.name = "electra",
                                          .architecture = "Electra",
                                          .prefix = "electra.",
                                          .defaults = defaults,
                                          .read = read,
                                          .write = write,
                                          .tensors = tensors});

}  // namespace quern::model
