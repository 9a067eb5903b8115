#include "formats/packed/quantization_config.h"

#include <fmt/format.h>

#include "base/json.h"

namespace quern::formats {

namespace {

using Json = nlohmann::json;

constexpr std::string_view kSettings = "quantization_config";
constexpr std::string_view kOldFile = "quantize_config.json";

Error unsupported(const std::string& source, std::string_view key, const Json& value,
                  std::string_view known) {
  return make_error(
      ErrorCode::unsupported,
      fmt::format("{}: {}: {}: expected {}, got {}", source, kSettings, key, known, json_excerpt(value)),
      "fetch the model as it was before quantisation, or as GGUF");
}

// The first of `keys` that is there and not null; null without one.
Json first_of(const Json& settings, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (const auto found = settings.find(key); found != settings.end() && !found->is_null()) return *found;
  }
  return nullptr;
}

std::string groups_text(int64_t size) {
  return size < 0 ? "a scale for each row" : fmt::format("groups of {}", size);
}

Result<void> read_groups(const Json& settings, const std::string& source, QuantizationConfig& config) {
  const Json size = first_of(settings, {"group_size", "q_group_size"});
  if (size.is_null()) return {};
  const bool whole = size.is_number_integer() && size <= int64_t{1} << 24;
  if (!whole || !(size == -1 || size >= 1)) {
    return make_error(ErrorCode::corrupt,
                      fmt::format("{}: {}: group_size: expected -1 or an integer of at least 1, got {}",
                                  source, kSettings, json_excerpt(size)));
  }
  config.group_size = size.get<int64_t>();
  return {};
}

Result<QuantizationConfig> read_gptq(const Json& settings, const std::string& source) {
  QuantizationConfig config{.quantizer = Quantizer::gptq};
  QUERN_CHECK(read_groups(settings, source, config));
  const Json format = first_of(settings, {"checkpoint_format", "format"});
  if (!format.is_null() && format != "gptq" && format != "gptq_v2")
    return unsupported(source, "checkpoint_format", format, "gptq | gptq_v2");
  config.zeros_less_one = format != "gptq_v2";
  const bool ordered = first_of(settings, {"desc_act"}) == true;
  config.summary = fmt::format("{}, {} bits, {}{}", config.zeros_less_one ? "gptq" : "gptq_v2",
                               json_excerpt(first_of(settings, {"bits", "w_bit"})),
                               groups_text(config.group_size), ordered ? ", columns by activation" : "");
  return config;
}

Result<QuantizationConfig> read_awq(const Json& settings, const std::string& source) {
  QuantizationConfig config{.quantizer = Quantizer::awq};
  QUERN_CHECK(read_groups(settings, source, config));
  const Json version = first_of(settings, {"version", "format"});
  if (!version.is_null() && version != "gemm" && version != "GEMM")
    return unsupported(source, "version", version, "gemm");
  config.summary = fmt::format("awq, 4 bits, {}", groups_text(config.group_size));
  return config;
}

QuantizationConfig read_bitsandbytes(const Json& settings) {
  const bool four = first_of(settings, {"load_in_4bit", "_load_in_4bit"}) == true;
  const Json type = first_of(settings, {"bnb_4bit_quant_type"});
  const bool twice = first_of(settings, {"bnb_4bit_use_double_quant"}) == true;
  return {
      .quantizer = Quantizer::bitsandbytes,
      .summary = four ? fmt::format("bitsandbytes, {}{}", type.is_string() ? type.get<std::string>() : "fp4",
                                    twice ? ", scales quantised too" : "")
                      : "bitsandbytes, 8 bits"};
}

}  // namespace

Result<std::optional<QuantizationConfig>> read_quantization_config(const ModelFolder& folder) {
  std::filesystem::path path = folder.config();
  QUERN_TRY(const Json document, read_json_file(path));
  Json settings = document.is_object() ? first_of(document, {kSettings.data()}) : Json();
  if (settings.is_null()) {
    path = folder.path() / kOldFile;
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) return std::optional<QuantizationConfig>();
    QUERN_TRY(settings, read_json_file(path));
    if (settings.is_object()) settings.emplace("quant_method", "gptq");
  }
  const std::string source = path.string();
  if (!settings.is_object())
    return make_error(ErrorCode::corrupt, fmt::format("{}: {}: expected an object, got {}", source, kSettings,
                                                      json_excerpt(settings)));
  const Json method = first_of(settings, {"quant_method"});
  if (method == "gptq") {
    QUERN_TRY(QuantizationConfig config, read_gptq(settings, source));
    return std::optional(std::move(config));
  }
  if (method == "awq") {
    QUERN_TRY(QuantizationConfig config, read_awq(settings, source));
    return std::optional(std::move(config));
  }
  if (method == "bitsandbytes") return std::optional(read_bitsandbytes(settings));
  return unsupported(source, "quant_method", method, "gptq | awq | bitsandbytes");
}

}  // namespace quern::formats
