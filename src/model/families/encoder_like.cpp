#include "model/families/encoder_like.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/families/gguf_names.h"

namespace quern::model {

ModelConfig encoder_defaults(std::string_view family) {
  ModelConfig config;
  config.family = family;
  config.kind = Kind::encoder;
  config.layout = nn::BlockLayout::post_norm;
  config.norm_eps = 1e-12;
  config.activation = ops::Activation::gelu_erf;
  config.embedding_norm = true;
  return config;
}

void read_encoder(ConfigReader& reader, ModelConfig& config) {
  reader.common(config);
  config.layers = reader.size("num_hidden_layers");
  config.hidden = reader.size("hidden_size");
  config.heads = reader.size("num_attention_heads");
  config.intermediate = reader.size("intermediate_size");
  config.max_positions = reader.integer("max_position_embeddings", 512) - config.position_offset;
  config.norm_eps = reader.number("layer_norm_eps", config.norm_eps);
  config.activation = reader.activation("hidden_act", "gelu");
  config.dropout = reader.number("hidden_dropout_prob", 0.1);
  reader.expect_text("position_embedding_type", "absolute");
  reader.expect("is_decoder", false);
  reader.expect("add_cross_attention", false);
}

nlohmann::ordered_json write_encoder(const ModelConfig& config) {
  return {{"num_hidden_layers", config.layers},
          {"hidden_size", config.hidden},
          {"num_attention_heads", config.heads},
          {"intermediate_size", config.intermediate},
          {"max_position_embeddings", config.max_positions + config.position_offset},
          {"layer_norm_eps", config.norm_eps},
          {"hidden_act", activation_name(config.activation)},
          {"hidden_dropout_prob", config.dropout},
          {"attention_probs_dropout_prob", config.dropout}};
}

nlohmann::ordered_json write_bert(const ModelConfig& config) {
  nlohmann::ordered_json json = write_encoder(config);
  json["type_vocab_size"] = config.token_types;
  return json;
}

void set_head_activation(ModelConfig& config, const HeadActivations& activations) {
  if (config.head == Head::discriminator) config.head = Head::masked_lm;
  set_electra_activation(config, activations);
}

void set_electra_activation(ModelConfig& config, const HeadActivations& activations) {
  switch (config.head) {
    case Head::none:
      config.head_activation = activations.pooler;
      break;
    case Head::sequence_classification:
      config.head_activation = activations.sequence;
      break;
    case Head::masked_lm:
    case Head::discriminator:
      config.head_activation = activations.words;
      break;
    case Head::token_classification:
    case Head::question_answering:
      config.head_activation = ops::Activation::identity;
      break;
  }
}

std::vector<ModuleName> bert_blocks() {
  return {{"attention.self.query", {"attention.q"}},
          {"attention.self.key", {"attention.k"}},
          {"attention.self.value", {"attention.v"}},
          {"attention.output.dense", {"attention.o"}},
          {"attention.output.LayerNorm", {"attention_norm"}},
          {"intermediate.dense", {"mlp.up"}},
          {"output.dense", {"mlp.down"}},
          {"output.LayerNorm", {"mlp_norm"}}};
}

void add_embeddings(std::string_view prefix, std::vector<ModuleName>& rows) {
  const auto named = [&](std::string_view name) { return fmt::format("{}embeddings.{}", prefix, name); };
  rows.insert(rows.end(), {{named("word_embeddings"), {"embedding"}},
                           {named("token_type_embeddings"), {"token_type"}},
                           {named("position_embeddings"), {"position"}},
                           {named("LayerNorm"), {"embedding_norm"}}});
}

void add_label_heads(const ModelConfig& config, std::vector<ModuleName>& rows) {
  if (config.head == Head::question_answering) rows.push_back({"qa_outputs", {"head"}});
  if (config.head == Head::token_classification) rows.push_back({"classifier", {"head"}});
}

void imply_bert_gguf(ModelConfig& config) {
  config.head_activation = ops::Activation::identity;
  config.position_offset = 0;
}

std::vector<TensorName> bert_gguf_tensors(const ModelConfig& config) {
  return gguf_tensors(config, {{"token_types", {"token_type"}},
                               {"token_embd_norm", {"embedding_norm"}},
                               {"attn_output_norm", {"attention_norm"}},
                               {"layer_output_norm", {"mlp_norm"}}});
}

std::string encoder_current_name(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kEnds{
      {{".gamma", ".weight"}, {".beta", ".bias"}, {".decoder.bias", ".bias"}}};
  for (const auto& [old, current] : kEnds) {
    if (name.ends_with(old))
      return std::string(name.substr(0, name.size() - old.size())) + std::string(current);
  }
  return std::string(name);
}

bool encoder_ignores(std::string_view name) {
  constexpr std::array<std::string_view, 6> kEnds{
      ".position_ids", ".token_type_ids",        "predictions.decoder.weight",
      ".decoder.bias", "vocab_projector.weight", "generator_lm_head.weight"};
  return name == "lm_head.decoder.weight" ||
         std::ranges::any_of(kEnds, [&](std::string_view end) { return name.ends_with(end); });
}

bool encoder_head_tensor(std::string_view name) {
  constexpr std::array<std::string_view, 13> kHeads{"cls.",
                                                    "classifier.",
                                                    "pre_classifier.",
                                                    "qa_outputs.",
                                                    "lm_head.",
                                                    "predictions.",
                                                    "sop_classifier.",
                                                    "vocab_transform.",
                                                    "vocab_layer_norm.",
                                                    "vocab_projector.",
                                                    "generator_",
                                                    "discriminator_predictions.",
                                                    "lm_predictions."};
  const auto begins = [&](std::string_view head) { return name.starts_with(head); };
  const std::string_view inside = name.substr(name.find('.') + 1);
  return std::ranges::any_of(kHeads, begins) || name.starts_with("pooler.") || inside.starts_with("pooler.");
}

}  // namespace quern::model
