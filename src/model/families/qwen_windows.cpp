#include "model/families/qwen_windows.h"

namespace quern::model {

void read_qwen_windows(ConfigReader& reader, ModelConfig& config,
                       bool (*full)(int64_t layer, int64_t max_window_layers)) {
  if (!reader.boolean("use_sliding_window", false)) return;
  config.window = reader.is_null("sliding_window") ? 0 : reader.integer("sliding_window", 4096);
  const int64_t most = reader.integer("max_window_layers", 28);
  config.full_layers = reader.full_layers(config.layers, [=](int64_t layer) { return full(layer, most); });
}

void write_qwen_windows(const ModelConfig& config, nlohmann::ordered_json& json) {
  json["use_sliding_window"] = config.window > 0;
  json["sliding_window"] = or_null(config.window);
  // Versions that do not know layer_types: right where the layers without a window come first.
  json["max_window_layers"] =
      config.window > 0 ? static_cast<int64_t>(config.full_layers.size()) : config.layers;
  json["layer_types"] = layer_types(config);
}

}  // namespace quern::model
