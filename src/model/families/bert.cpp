// BERT (Devlin et al. 2018, arXiv 1810.04805): learned positions and segments, norms after the branches.
#include "model/families/encoder_like.h"
#include "model/families/families.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = encoder_defaults("bert");
  config.token_types = 2;
  config.head_activation = ops::Activation::tanh;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  read_encoder(reader, config);
  config.token_types = reader.integer("type_vocab_size", config.token_types);
  set_head_activation(config, {.words = config.activation});
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  const bool words = config.head == Head::masked_lm;
  std::vector<ModuleName> rows = bert_blocks();
  add_embeddings("bert.", rows);
  add_label_heads(config, rows);
  rows.insert(rows.end(), {{words ? "cls.predictions.transform.dense" : "bert.pooler.dense", {"head_dense"}},
                           {"cls.predictions.transform.LayerNorm", {"head_norm"}},
                           {!words                   ? "classifier"
                            : config.tied_embeddings ? "cls.predictions"
                                                     : "cls.predictions.decoder",
                            {"head"}}});
  return tensor_names(config, "bert.encoder.layer.", rows);
}

}  // namespace

const Family kBert = encoder_relative(
    {.name = "bert",
     .architecture = "Bert",
     .prefix = "bert.",
     .defaults = defaults,
     .read = read,
     .write = write_bert,
     .tensors = tensors,
     .gguf = {.architecture = "bert", .imply = imply_bert_gguf, .tensors = bert_gguf_tensors}});

}  // namespace quern::model
