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

Result<ModelConfig> read(const nlohmann::json& json) {
  ModelConfig config = defaults();
  ConfigReader reader(json);
  read_gemma(reader, config, [](int64_t layer) { return layer % 2 == 1; });
  QUERN_CHECK(reader.finish());
  return config;
}

nlohmann::ordered_json write(const ModelConfig& config) { return write_gemma(config); }

void imply_gguf(ModelConfig& config) {
  config.window = 4096;
  imply_gemma(config, 2, 46);
}

std::vector<TensorName> tensors(const ModelConfig& config) { return gemma_tensors(config); }

}  // namespace

const Family kGemma2{.name = "gemma2",
                     .architecture = "Gemma2ForCausalLM",
                     .prefix = "model.",
                     .defaults = defaults,
                     .read = read,
                     .write = write,
                     .tensors = tensors,
                     .ignores = llama_ignores,
                     .gguf = {.architecture = "gemma2", .imply = imply_gguf, .tensors = gguf_tensors}};

}  // namespace quern::model
