// Mistral 7B (Jiang et al. 2023, arXiv 2310.06825): LLaMA with a sliding window.
#include "model/families/families.h"
#include "model/families/llama_like.h"

namespace quern::model {

namespace {

ModelConfig defaults() { return llama_defaults("mistral"); }

Result<ModelConfig> read(const nlohmann::json& json) {
  ModelConfig config = defaults();
  ConfigReader reader(json);
  config.kv_heads = 8;
  read_llama(reader, config);
  config.window = reader.is_null("sliding_window") ? 0 : reader.integer("sliding_window", 4096);
  QUERN_CHECK(reader.finish());
  return config;
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config);
  json["sliding_window"] = or_null(config.window);
  return json;
}

std::vector<TensorName> tensors(const ModelConfig& config) { return llama_tensors(config); }

}  // namespace

const Family kMistral{.name = "mistral",
                      .architecture = "MistralForCausalLM",
                      .prefix = "model.",
                      .defaults = defaults,
                      .read = read,
                      .write = write,
                      .tensors = tensors,
                      .ignores = llama_ignores,
                      .gguf = {.architecture = "llama",
                               .marker = "attention.sliding_window",
                               .imply = pair_neighbours,
                               .tensors = gguf_tensors}};

}  // namespace quern::model
