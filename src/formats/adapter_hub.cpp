#include "formats/adapter_hub.h"

#include <fmt/format.h>

#include <cmath>

#include "base/json.h"

namespace quern::formats {

namespace {

using Json = nlohmann::json;

// What the bottlenecks of Houlsby and Pfeiffer have not, and how it is written where it is off.
const std::pair<const char*, Json> kOff[] = {
    {"architecture", nullptr},    {"ln_before", false},     {"ln_after", false},
    {"is_parallel", false},       {"use_gating", false},    {"inv_adapter", nullptr},
    {"cross_adapter", false},     {"phm_layer", false},     {"original_ln_after", true},
    {"residual_before_ln", true}, {"stochastic_depth", 0.0}};

Error hub_wrong(const std::string& source, std::string_view key, std::string_view expected, const Json& got) {
  return make_error(ErrorCode::corrupt,
                    fmt::format("{}: {}: expected {}, got {}", source, key, expected, json_excerpt(got)));
}

const Json* given(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? nullptr : &*found;
}

Result<void> read_flag(const Json& json, const std::string& source, const char* key, bool& to) {
  const Json* found = given(json, key);
  if (found == nullptr) return {};
  if (!found->is_boolean()) return hub_wrong(source, key, "true or false", *found);
  to = found->get<bool>();
  return {};
}

Result<void> read_number(const Json& json, const std::string& source, const char* key, double low,
                         double& to) {
  const Json* found = given(json, key);
  if (found == nullptr) return {};
  const double value = found->is_number() ? found->get<double>() : NAN;
  if (!std::isfinite(value) || value < low)
    return hub_wrong(source, key, fmt::format("a number from {}", low), *found);
  to = value;
  return {};
}

Result<void> check_off(const Json& json, const std::string& source) {
  for (const auto& [key, off] : kOff) {
    const Json* found = given(json, key);
    if (found == nullptr || *found == off) continue;
    return make_error(ErrorCode::unsupported,
                      fmt::format("{}: {} is {}, which is not known here", source, key, json_excerpt(*found)),
                      "bottlenecks of Houlsby and Pfeiffer are: DoubleSeqBnConfig, SeqBnConfig");
  }
  return {};
}

Result<void> read_layers(const Json& json, const std::string& source, std::vector<int64_t>& layers) {
  const Json* found = given(json, "leave_out");
  if (found == nullptr) return {};
  if (!found->is_array()) return hub_wrong(source, "leave_out", "a list of layers", *found);
  for (const Json& layer : *found) {
    if (!layer.is_number_unsigned()) return hub_wrong(source, "leave_out", "a list of layers", layer);
    layers.push_back(layer.get<int64_t>());
  }
  return {};
}

}  // namespace

bool is_adapter_hub_config(const Json& json) {
  return json.is_object() && !json.contains("peft_type") && json.contains("config") &&
         json["config"].is_object();
}

Result<PeftConfig> read_adapter_hub_config(const Json& json, const std::string& source) {
  const Json& settings = json.at("config");
  PeftConfig config{.method = PeftMethod::bottleneck};
  PeftBottleneck& bottleneck = config.bottleneck;
  QUERN_CHECK(check_off(settings, source));
  if (given(json, "model_name") != nullptr) {
    QUERN_TRY(config.base, json_get<std::string>(json, "model_name", source));
  }
  if (given(json, "name") != nullptr) {
    QUERN_TRY(bottleneck.name, json_get<std::string>(json, "name", source));
  }
  QUERN_TRY(bottleneck.activation, json_get<std::string>(settings, "non_linearity", source));
  // Releases that did not write their version called these otherwise.
  if (!json.contains("version") && bottleneck.activation == "gelu") bottleneck.activation = "gelu_new";
  if (!json.contains("version") && bottleneck.activation == "gelu_orig") bottleneck.activation = "gelu";
  QUERN_CHECK(read_flag(settings, source, "mh_adapter", bottleneck.attention));
  QUERN_CHECK(read_flag(settings, source, "output_adapter", bottleneck.mlp));
  QUERN_CHECK(read_flag(settings, source, "original_ln_before", bottleneck.reads_stream));
  QUERN_CHECK(read_number(settings, source, "dropout", 0.0, config.dropout));
  if (config.dropout >= 1.0)
    return hub_wrong(source, "dropout", "a number from 0 to below 1", config.dropout);
  // A word says that the scale is learnt.
  if (const Json* scale = given(settings, "scaling"); scale != nullptr && scale->is_string())
    return make_error(ErrorCode::unsupported,
                      fmt::format("{}: scaling is {}, which is not known here", source, json_excerpt(*scale)),
                      "scales that are numbers are");
  QUERN_CHECK(read_number(settings, source, "scaling", -1e6, bottleneck.scale));
  // It may be one for each layer: widths come from the tensors.
  if (const Json* factor = given(settings, "reduction_factor"); factor != nullptr && factor->is_number())
    QUERN_CHECK(read_number(settings, source, "reduction_factor", 1e-6, bottleneck.reduction));
  QUERN_CHECK(read_layers(settings, source, bottleneck.leave_out));
  return config;
}

nlohmann::ordered_json write_adapter_hub_config(const PeftConfig& config) {
  const PeftBottleneck& bottleneck = config.bottleneck;
  nlohmann::ordered_json settings{{"mh_adapter", bottleneck.attention},
                                  {"output_adapter", bottleneck.mlp},
                                  {"reduction_factor", bottleneck.reduction},
                                  {"non_linearity", bottleneck.activation},
                                  {"original_ln_before", bottleneck.reads_stream},
                                  {"original_ln_after", true},
                                  {"ln_before", false},
                                  {"ln_after", false},
                                  {"init_weights", "mam_adapter"},
                                  {"is_parallel", false},
                                  {"scaling", bottleneck.scale},
                                  {"use_gating", false},
                                  {"residual_before_ln", true},
                                  {"adapter_residual_before_ln", false},
                                  {"inv_adapter", nullptr},
                                  {"cross_adapter", false},
                                  {"leave_out", bottleneck.leave_out},
                                  {"dropout", config.dropout},
                                  {"phm_layer", false}};
  for (const auto& [layer, reduction] : bottleneck.layer_reductions) {
    nlohmann::ordered_json& all = settings["reduction_factor"];
    if (!all.is_object()) all = {{"default", bottleneck.reduction}};
    all[std::to_string(layer)] = reduction;
  }
  return {{"config", settings},
          {"hidden_size", bottleneck.channels},
          {"model_class", bottleneck.model_class},
          {"model_name", config.base},
          {"model_type", bottleneck.family},
          {"name", bottleneck.name},
          {"version", "adapters.1.3.0"}};
}

}  // namespace quern::formats
