// Phi-3 and Phi-4-mini (Abdin et al. 2024, arXiv 2404.14219): LLaMA with joined projections and a window.
#include "model/families/families.h"
#include "model/families/llama_like.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = llama_defaults("phi3");
  config.norm_eps = 1e-5;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  read_llama(reader, config);
  config.window = reader.integer("sliding_window", 0);
  config.dropout = reader.number("resid_pdrop", 0.0);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config);
  json["original_max_position_embeddings"] = config.rope.scaling == ops::RopeScaling::longrope
                                                 ? config.rope.original_positions
                                                 : config.max_positions;
  json["sliding_window"] = or_null(config.window);
  json["resid_pdrop"] = json["embd_pdrop"] = config.dropout;
  return json;
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  return llama_tensors(config, {{"self_attn.qkv_proj", {"attention.q", "attention.k", "attention.v"}},
                                {"mlp.gate_up_proj", {"mlp.gate", "mlp.up"}}});
}

std::vector<TensorName> joined_tensors(const ModelConfig& config) {
  return gguf_tensors(config, {{"attn_qkv", {"attention.q", "attention.k", "attention.v"}},
                               {"ffn_up", {"mlp.gate", "mlp.up"}}});
}

}  // namespace

const Family kPhi3 = llama_relative({.name = "phi3",
                                     .architecture = "Phi3ForCausalLM",
                                     .defaults = defaults,
                                     .read = read,
                                     .write = write,
                                     .tensors = tensors,
                                     .gguf = {.architecture = "phi3", .tensors = joined_tensors}});

}  // namespace quern::model
