// Mistral 7B (Jiang et al. 2023, arXiv 2310.06825): LLaMA with a sliding window.
#include "model/families/families.h"
#include "model/families/llama_like.h"

namespace quern::model {

namespace {

ModelConfig defaults() { return llama_defaults("mistral"); }

void read(ConfigReader& reader, ModelConfig& config) {
  config.kv_heads = 8;
  read_llama(reader, config);
  config.window = reader.is_null("sliding_window") ? 0 : reader.integer("sliding_window", 4096);
}

nlohmann::ordered_json write(const ModelConfig& config) {
  nlohmann::ordered_json json = write_llama(config);
  json["sliding_window"] = or_null(config.window);
  return json;
}

}  // namespace

const Family kMistral = llama_relative(
    {.name = "mistral",
     .architecture = "MistralForCausalLM",
     .defaults = defaults,
     .read = read,
     .write = write,
     .gguf = {.architecture = "llama", .marker = "attention.sliding_window", .imply = pair_neighbours}});

}  // namespace quern::model
