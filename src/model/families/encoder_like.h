// What BERT and its relatives share.
#pragma once

#include "model/families/config_reader.h"
#include "model/families/tensor_names.h"

namespace quern::model {

// The choices of the first of them: post-norm blocks over the normed sum of embeddings, no token types.
ModelConfig encoder_defaults(std::string_view family);

// Keys under BERT's names: sizes, norm, activation, dropout.
void read_encoder(ConfigReader& reader, ModelConfig& config);
nlohmann::ordered_json write_encoder(const ModelConfig& config);
// With the number of segments that tokens may be of.
nlohmann::ordered_json write_bert(const ModelConfig& config);

// The activation of the dense layer in each form of head: of the pooler of an encoder alone (identity: it has none),
// before labels of the whole text, and before outputs of each token (masked words, ELECTRA's discriminator).
struct HeadActivations {
  ops::Activation pooler = ops::Activation::tanh;
  ops::Activation sequence = ops::Activation::tanh;
  ops::Activation words = ops::Activation::gelu_erf;
};
// Sets the one of config.head. Pre-training of BERT and ALBERT is their masked language model: what they learnt
// beside it has no use since.
void set_head_activation(ModelConfig& config, const HeadActivations& activations);
// ELECTRA's, whose pre-training is a discriminator.
void set_electra_activation(ModelConfig& config, const HeadActivations& activations);

// Modules in blocks under BERT's names.
std::vector<ModuleName> bert_blocks();
// Tables of words, segments and positions and their norm, behind `prefix` ("bert.").
void add_embeddings(std::string_view prefix, std::vector<ModuleName>& rows);
// Modules outside blocks that have the same names in all families: outputs of classes and of spans.
void add_label_heads(const ModelConfig& config, std::vector<ModuleName>& rows);

// How GGUF files hold BERT and those of its form, "bert": without a head, positions from the first row on.
void imply_bert_gguf(ModelConfig& config);
std::vector<TensorName> bert_gguf_tensors(const ModelConfig& config);

// gamma and beta of norms are old names; the bias of a tied projection lies under two.
std::string encoder_current_name(std::string_view name);
// Buffers of old versions and second copies of tied weights.
bool encoder_ignores(std::string_view name);
// Whether a tensor belongs to a head or a pooler of any of these families.
bool encoder_head_tensor(std::string_view name);

// `family` with what BERT's relatives have in common.
constexpr Family encoder_relative(Family family) {
  family.ignores = encoder_ignores;
  family.current_name = encoder_current_name;
  family.of_a_head = encoder_head_tensor;
  return family;
}

}  // namespace quern::model
