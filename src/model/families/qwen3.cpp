// Qwen 3 (Yang et al. 2025, arXiv 2505.09388): LLaMA with normed queries and keys, and heads of a width of their own.
#include "model/families/families.h"
#include "model/families/llama_like.h"
#include "model/families/qwen_windows.h"

namespace quern::model {

namespace {

ModelConfig defaults() {
  ModelConfig config = llama_defaults("qwen3");
  config.qk_norm = nn::QkNorm::head;
  return config;
}

Result<ModelConfig> read(const nlohmann::json& json) {
  ModelConfig config = defaults();
  ConfigReader reader(json);
  config.head_dim = 128;
  read_llama(reader, config);
  config.qkv_bias = config.output_bias = reader.boolean("attention_bias", false);
  read_qwen_windows(reader, config);
  QUERN_CHECK(reader.finish());
  return config;
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config);
  json["attention_bias"] = config.qkv_bias;
  write_qwen_windows(config, json);
  return json;
}

std::vector<TensorName> tensors(const ModelConfig& config) { return llama_tensors(config); }

}  // namespace

const Family kQwen3{.name = "qwen3",
                    .architecture = "Qwen3ForCausalLM",
                    .prefix = "model.",
                    .defaults = defaults,
                    .read = read,
                    .write = write,
                    .tensors = tensors,
                    .ignores = llama_ignores,
                    .gguf = {.architecture = "qwen3", .tensors = gguf_tensors}};

}  // namespace quern::model
