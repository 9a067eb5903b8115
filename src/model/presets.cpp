#include "model/presets.h"

#include <vector>

#include "base/exception.h"
#include "model/family.h"

namespace quern::model {

namespace {

Preset gpt2(std::string name, int64_t layers, int64_t hidden, int64_t heads) {
  ModelConfig config = (*find_family("gpt2"))->defaults();
  config.vocab_size = 50257;
  config.layers = layers;
  config.hidden = hidden;
  config.heads = heads;
  config.max_positions = 1024;
  return {std::move(name), "Radford et al. 2019", config};
}

struct LlamaSize {
  int64_t layers, hidden, heads, kv_heads, intermediate, vocab_size, max_positions;
  double theta;
  bool tied = false;
  double stretched = 0.0;  // factor of Llama 3.1's rotary scaling from 8,192 positions; 0: none
};

Preset llama(std::string name, std::string source, const LlamaSize& size) {
  ModelConfig config = (*find_family("llama"))->defaults();
  config.layers = size.layers;
  config.hidden = size.hidden;
  config.heads = size.heads;
  config.kv_heads = size.kv_heads;
  config.intermediate = size.intermediate;
  config.vocab_size = size.vocab_size;
  config.max_positions = size.max_positions;
  config.norm_eps = 1e-5;
  config.tied_embeddings = size.tied;
  config.rope.theta = size.theta;
  if (size.stretched > 0.0) {
    config.rope.scaling = ops::RopeScaling::llama3;
    config.rope.factor = size.stretched;
    config.rope.original_positions = 8192;
    config.rope.low_freq_factor = 1.0;
    config.rope.high_freq_factor = 4.0;
  }
  return {std::move(name), std::move(source), config};
}

std::vector<Preset> make_presets() {
  const std::string llama2 = "Touvron et al. 2023, arXiv 2307.09288";
  const std::string llama3 = "Grattafiori et al. 2024, arXiv 2407.21783";
  const std::string llama32 = "Meta 2024, Llama 3.2 model card";
  const std::string smollm2 = "Ben Allal et al. 2025, arXiv 2502.02737";
  return {
      gpt2("gpt2", 12, 768, 12),
      gpt2("gpt2-medium", 24, 1024, 16),
      gpt2("gpt2-large", 36, 1280, 20),
      gpt2("gpt2-xl", 48, 1600, 25),
      llama("smollm2-135m", smollm2, {30, 576, 9, 3, 1536, 49152, 8192, 1e5, true}),
      llama("smollm2-360m", smollm2, {32, 960, 15, 5, 2560, 49152, 8192, 1e5, true}),
      llama("smollm2-1.7b", smollm2, {24, 2048, 32, 32, 8192, 49152, 8192, 130000, true}),
      llama("tinyllama-1.1b", "Zhang et al. 2024, arXiv 2401.02385",
            {22, 2048, 32, 4, 5632, 32000, 2048, 1e4}),
      llama("llama-2-7b", llama2, {32, 4096, 32, 32, 11008, 32000, 4096, 1e4}),
      llama("llama-2-13b", llama2, {40, 5120, 40, 40, 13824, 32000, 4096, 1e4}),
      llama("llama-2-70b", llama2, {80, 8192, 64, 8, 28672, 32000, 4096, 1e4}),
      llama("llama-3-8b", llama3, {32, 4096, 32, 8, 14336, 128256, 8192, 5e5}),
      llama("llama-3-70b", llama3, {80, 8192, 64, 8, 28672, 128256, 8192, 5e5}),
      llama("llama-3.1-8b", llama3, {32, 4096, 32, 8, 14336, 128256, 131072, 5e5, false, 8.0}),
      llama("llama-3.1-70b", llama3, {80, 8192, 64, 8, 28672, 128256, 131072, 5e5, false, 8.0}),
      llama("llama-3.1-405b", llama3, {126, 16384, 128, 8, 53248, 128256, 131072, 5e5, false, 8.0}),
      llama("llama-3.2-1b", llama32, {16, 2048, 32, 8, 8192, 128256, 131072, 5e5, true, 32.0}),
      llama("llama-3.2-3b", llama32, {28, 3072, 24, 8, 8192, 128256, 131072, 5e5, true, 32.0}),
  };
}

}  // namespace

std::span<const Preset> presets() {
  static const std::vector<Preset> all = make_presets();
  return all;
}

const Preset* find_preset(std::string_view name) {
  for (const Preset& preset : presets()) {
    if (preset.name == name) return &preset;
  }
  return nullptr;
}

const ModelConfig& gpt2_small() { return find_preset("gpt2")->config; }

}  // namespace quern::model
