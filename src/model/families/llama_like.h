// What the families that descend from LLaMA share: sizes, rotary positions, names of tensors.
#pragma once

#include "model/families/config_reader.h"
#include "model/families/gguf_names.h"
#include "model/families/tensor_names.h"

namespace quern::model {

// RMS norms, gated SiLU, rotary positions, no biases, a head of its own.
ModelConfig llama_defaults(std::string family);

// The keys that not all of them call the same.
struct LlamaKeys {
  const char* norm_eps = "rms_norm_eps";
  const char* activation = "hidden_act";
  double partial_rotary = 1.0;  // of a head, where no key says
};

// Reads what every family has, sizes, norm_eps, activation and rope; what a config leaves out stays as it is in
// `config`.
void read_llama(ConfigReader& reader, ModelConfig& config, const LlamaKeys& keys = {});
nlohmann::ordered_json write_llama(const ModelConfig& config, const LlamaKeys& keys = {});

// Names as LLaMA has them; `others` replace or add to them.
std::vector<TensorName> llama_tensors(const ModelConfig& config, std::vector<ModuleName> others);
// With none replaced.
std::vector<TensorName> llama_tensors(const ModelConfig& config);
// Rotary frequencies, which old versions saved, and the head of a tied model.
bool llama_ignores(std::string_view name);

// `family` with what its relatives have in common where it does not say: prefix and names of tensors.
constexpr Family llama_relative(Family family) {
  family.prefix = "model.";
  family.ignores = llama_ignores;
  if (family.tensors == nullptr) family.tensors = llama_tensors;
  if (family.gguf.tensors == nullptr) family.gguf.tensors = gguf_tensors;
  return family;
}

// Of GGUF files whose queries and keys have their rows in an order in which neighbours rotate together.
void pair_neighbours(ModelConfig& config);

}  // namespace quern::model
