// Phi-1, 1.5 and 2 (Gunasekar et al. 2023, arXiv 2306.11644): attention and MLP side by side, a part of each head
// rotates, biases everywhere, the head's too.
#include "model/families/families.h"
#include "model/families/llama_like.h"

namespace quern::model {

namespace {

constexpr LlamaKeys kKeys{.norm_eps = "layer_norm_eps", .partial_rotary = 0.5};

ModelConfig defaults() {
  ModelConfig config;
  config.family = "phi";
  config.layout = nn::BlockLayout::parallel;
  config.positions = Positions::rope;
  config.tied_embeddings = false;
  config.head_bias = true;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  read_llama(reader, config, kKeys);
  config.dropout = reader.number("resid_pdrop", 0.0);
  if (reader.boolean("qk_layernorm", false)) config.qk_norm = nn::QkNorm::head;
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config, kKeys);
  json["partial_rotary_factor"] =
      static_cast<double>(config.rope.rotary) / static_cast<double>(config.head_dim);
  json["qk_layernorm"] = config.qk_norm == nn::QkNorm::head;
  json["resid_pdrop"] = json["embd_pdrop"] = config.dropout;
  return json;
}

std::vector<TensorName> tensors(const ModelConfig& config) {
  return llama_tensors(config, {{"self_attn.q_layernorm", {"attention.q_norm"}},
                                {"self_attn.k_layernorm", {"attention.k_norm"}},
                                {"self_attn.dense", {"attention.o"}},
                                {"mlp.fc1", {"mlp.up"}},
                                {"mlp.fc2", {"mlp.down"}},
                                {"model.final_layernorm", {"final_norm"}}});
}

}  // namespace

const Family kPhi = llama_relative({.name = "phi",
                                    .architecture = "PhiForCausalLM",
                                    .defaults = defaults,
                                    .read = read,
                                    .write = write,
                                    .tensors = tensors,
                                    .gguf = {.architecture = "phi2"}});

}  // namespace quern::model
