// RoBERTa (Liu et al. 2019, arXiv 1907.11692): BERT's form; its table of positions begins after that of the padding token.
// XLM-RoBERTa (arXiv 1911.02116) is the same under another name.
#include "model/families/encoder_like.h"
#include "model/families/families.h"

namespace quern::model {

namespace {

ModelConfig roberta(std::string_view family) {
  ModelConfig config = encoder_defaults(family);
  config.token_types = 1;
  config.pad_token = 1;
  config.position_offset = 2;
  config.head_activation = ops::Activation::tanh;
  return config;
}

ModelConfig defaults() { return roberta("roberta"); }
ModelConfig xlm_defaults() { return roberta("xlm-roberta"); }

void read(ConfigReader& reader, ModelConfig& config) {
  config.position_offset = reader.integer("pad_token_id", 1) + 1;
  read_encoder(reader, config);
  config.pad_token = config.position_offset - 1;
  config.token_types = reader.integer("type_vocab_size", 2);
  set_head_activation(config, {});
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  const bool words = config.head == Head::masked_lm;
  std::vector<ModuleName> rows = bert_blocks();
  add_embeddings("roberta.", rows);
  add_label_heads(config, rows);
  rows.insert(rows.end(), {{words                       ? "lm_head.dense"
                            : config.head == Head::none ? "roberta.pooler.dense"
                                                        : "classifier.dense",
                            {"head_dense"}},
                           {"lm_head.layer_norm", {"head_norm"}},
                           {!words                   ? "classifier.out_proj"
                            : config.tied_embeddings ? "lm_head"
                                                     : "lm_head.decoder",
                            {"head"}}});
  return tensor_names(config, "roberta.encoder.layer.", rows);
}

}  // namespace

const Family kRoberta = encoder_relative({.name = "roberta",
                                          .architecture = "Roberta",
                                          .prefix = "roberta.",
                                          .defaults = defaults,
                                          .read = read,
                                          .write = write_bert,
                                          .tensors = tensors,
                                          .gguf = {.architecture = "bert",
                                                   .tokenizer = "gpt2",
                                                   .imply = imply_bert_gguf,
                                                   .tensors = bert_gguf_tensors}});

const Family kXlmRoberta = encoder_relative(
    {.name = "xlm-roberta",
     .architecture = "XLMRoberta",
     .prefix = "roberta.",
     .defaults = xlm_defaults,
     .read = read,
     .write = write_bert,
     .tensors = tensors,
     .gguf = {
         .architecture = "bert", .tokenizer = "t5", .imply = imply_bert_gguf, .tensors = bert_gguf_tensors}});

}  // namespace quern::model
