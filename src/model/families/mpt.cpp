// MPT (MosaicML 2023): ALiBi in place of positions, no biases, joined queries, keys and values.
#include "model/families/config_reader.h"
#include "model/families/families.h"
#include "model/families/gguf_names.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config;
  config.family = "mpt";
  config.norm_bias = false;
  config.activation = ops::Activation::gelu_erf;
  config.qkv_bias = config.output_bias = config.mlp_bias = false;
  config.positions = Positions::alibi;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  reader.common(config);
  config.layers = reader.size("n_layers");
  config.hidden = reader.size("d_model");
  config.heads = reader.size("n_heads");
  config.intermediate = 0;
  config.max_positions = reader.size("max_seq_len");
  config.norm_eps = reader.number("layer_norm_epsilon", config.norm_eps);
  config.dropout = reader.number("resid_pdrop", 0.0);
  reader.expect_size("expansion_ratio", 4);
  reader.expect("no_bias", true);
  reader.expect_null("logit_scale");
  reader.inside("attn_config", [&](ConfigReader& attention) {
    config.attention_scale = attention.number("softmax_scale", 0.0);
    config.alibi_max_bias = attention.number("alibi_bias_max", config.alibi_max_bias);
    attention.expect("alibi", true);
    attention.expect("qk_ln", false);
    attention.expect("prefix_lm", false);
    config.qkv_clip = attention.number("clip_qkv", 0.0);
  });
}

// transformers 5 takes whole numbers only in attn_config.
nlohmann::ordered_json write(const ModelConfig& config) {
  return {{"n_layers", config.layers},
          {"d_model", config.hidden},
          {"n_heads", config.heads},
          {"expansion_ratio", 4},
          {"max_seq_len", config.max_positions},
          {"layer_norm_epsilon", config.norm_eps},
          {"resid_pdrop", config.dropout},
          {"emb_pdrop", config.dropout},
          {"learned_pos_emb", false},
          {"no_bias", true},
          {"attn_config",
           {{"alibi", true},
            {"alibi_bias_max", static_cast<int64_t>(config.alibi_max_bias)},
            {"clip_qkv", or_null(config.qkv_clip)},
            {"softmax_scale", or_null(config.attention_scale)},
            {"attn_pdrop", 0}}}};
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  const ModuleName rows[] = {{"transformer.wte", {"embedding"}},
                             {"norm_1", {"attention_norm"}},
                             {"attn.Wqkv", {"attention.q", "attention.k", "attention.v"}},
                             {"attn.out_proj", {"attention.o"}},
                             {"norm_2", {"mlp_norm"}},
                             {"ffn.up_proj", {"mlp.up"}},
                             {"ffn.down_proj", {"mlp.down"}},
                             {"transformer.norm_f", {"final_norm"}},
                             {"lm_head", {"head"}}};
  return tensor_names(config, "transformer.blocks.", rows);
}

bool ignores(std::string_view name) { return name == "lm_head.weight"; }

}  // namespace

const Family kMpt{.name = "mpt",
                  .architecture = "MptForCausalLM",
                  .prefix = "transformer.",
                  .defaults = defaults,
                  .read = read,
                  .write = write,
                  .tensors = tensors,
                  .ignores = ignores,
                  .gguf = {.architecture = "mpt", .tensors = gguf_joined_tensors}};

}  // namespace quern::model
