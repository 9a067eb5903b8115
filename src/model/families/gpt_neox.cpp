// GPT-NeoX and Pythia (Black et al. 2022, arXiv 2204.06745): attention and MLP side by side with a norm each, a part of
// each head rotates.
#include "model/families/families.h"
#include "model/families/llama_like.h"

namespace quern::model {

namespace {

constexpr LlamaKeys kKeys{.norm_eps = "layer_norm_eps"};

ModelConfig defaults() {
  ModelConfig config;
  config.family = "gpt_neox";
  config.layout = nn::BlockLayout::parallel_norms;
  config.activation = ops::Activation::gelu_erf;
  config.positions = Positions::rope;
  config.tied_embeddings = false;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  LlamaKeys keys = kKeys;
  keys.partial_rotary = reader.number("rotary_pct", 0.25);
  config.rope.theta = reader.number("rotary_emb_base", config.rope.theta);
  read_llama(reader, config, keys);
  config.kv_heads = 0;  // as many as heads, whatever a config says
  config.qkv_bias = config.output_bias = reader.boolean("attention_bias", true);
  if (!reader.boolean("use_parallel_residual", true)) config.layout = nn::BlockLayout::pre_norm;
  config.dropout = reader.number("hidden_dropout", 0.0);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config, kKeys);
  for (const char* key : {"num_key_value_heads", "head_dim", "partial_rotary_factor"}) json.erase(key);
  json["rotary_pct"] = static_cast<double>(config.rope.rotary) / static_cast<double>(config.head_dim);
  json["rotary_emb_base"] = config.rope.theta;
  json["attention_bias"] = config.qkv_bias;
  json["use_parallel_residual"] = config.layout == nn::BlockLayout::parallel_norms;
  json["hidden_dropout"] = config.dropout;
  return json;
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  const ModuleName joined{.file = "attention.query_key_value",
                          .modules = {"attention.q", "attention.k", "attention.v"},
                          .grouped = true};
  const ModuleName rows[] = {{"gpt_neox.embed_in", {"embedding"}},
                             {"input_layernorm", {"attention_norm"}},
                             joined,
                             {"attention.dense", {"attention.o"}},
                             {"post_attention_layernorm", {"mlp_norm"}},
                             {"mlp.dense_h_to_4h", {"mlp.up"}},
                             {"mlp.dense_4h_to_h", {"mlp.down"}},
                             {"gpt_neox.final_layer_norm", {"final_norm"}},
                             {"embed_out", {"head"}}};
  return tensor_names(config, "gpt_neox.layers.", rows);
}

// Masks and rotary frequencies, which old versions saved, and the head of a tied model.
bool ignores(std::string_view name) {
  return name.ends_with(".attention.bias") || name.ends_with(".attention.masked_bias") ||
         name.ends_with(".rotary_emb.inv_freq") || name == "embed_out.weight";
}

}  // namespace

const Family kGptNeoX{.name = "gpt_neox",
                      .architecture = "GPTNeoXForCausalLM",
                      .prefix = "gpt_neox.",
                      .defaults = defaults,
                      .read = read,
                      .write = write,
                      .tensors = tensors,
                      .ignores = ignores,
                      .gguf = {.architecture = "gptneox", .tensors = gguf_joined_tensors}};

}  // namespace quern::model
