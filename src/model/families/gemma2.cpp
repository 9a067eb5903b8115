// Gemma 2 (Gemma Team 2024, arXiv 2408.00118): norms before and after both branches, soft limits of scores and
// logits, a window in every other layer.
#include "model/families/families.h"
#include "model/families/gemma_like.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = gemma_defaults("gemma2");
  config.layout = nn::BlockLayout::sandwich;
  config.attention_softcap = 50.0;
  config.logit_softcap = 30.0;
  return config;
}

void read(ConfigReader& reader, ModelConfig& config) {
  read_gemma(reader, config, [](int64_t layer) { return layer % 2 == 1; });
}

nlohmann::ordered_json write(const ModelConfig& config) { return write_gemma(config); }

void imply_gguf(ModelConfig& config) {
  config.window = 4096;
  imply_gemma(config, 2, 46);
}

}  // namespace

const Family kGemma2 = llama_relative({.name = "gemma2",
                                       .architecture = "Gemma2ForCausalLM",
                                       .defaults = defaults,
                                       .read = read,
                                       .write = write,
                                       .tensors = gemma_tensors,
                                       .gguf = {.architecture = "gemma2", .imply = imply_gguf}});

}  // namespace quern::model
