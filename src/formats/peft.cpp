#include "formats/peft.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <system_error>

#include "base/file.h"
#include "base/json.h"
#include "formats/adapter_hub.h"

namespace quern::formats {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// Settings that plain LoRA has not, and what they are without them.
const std::pair<const char*, Json> kIdle[] = {{"bias", "none"},
                                              {"lora_bias", false},
                                              {"layer_replication", nullptr},
                                              {"modules_to_save", nullptr},
                                              {"target_parameters", nullptr},
                                              {"use_qalora", false},
                                              {"alora_invocation_tokens", nullptr}};

Error wrong(const std::string& source, std::string_view key, std::string_view expected, const Json& got) {
  return make_error(ErrorCode::corrupt,
                    fmt::format("{}: {}: expected {}, got {}", source, key, expected, json_excerpt(got)));
}

// A key that may be missing or null.
template <class T>
Result<void> read(const Json& json, const std::string& source, const char* key, T& to) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return {};
  QUERN_TRY(to, json_get<T>(json, key, source));
  return {};
}

Result<void> check_rank(const std::string& source, std::string_view key, const Json& value) {
  if (value.is_number_integer() && value >= 1 && value <= int64_t{1} << 20) return {};
  return wrong(source, key, "a whole number from 1 to 1048576", value);
}

Result<void> check_alpha(const std::string& source, std::string_view key, const Json& value) {
  if (value.is_number() && std::isfinite(value.get<double>()) && value > 0.0) return {};
  return wrong(source, key, "a positive number", value);
}

template <class T, class Check>
Result<void> read_pattern(const Json& json, const std::string& source, const char* key, const Check& check,
                          std::map<std::string, T>& to) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return {};
  if (!found->is_object()) return wrong(source, key, "an object", *found);
  for (const auto& [name, value] : found->items()) {
    if (name.find_first_of("*+?|()[]{}\\$") != std::string::npos)
      return make_error(ErrorCode::unsupported,
                        fmt::format("{}: {}: '{}' is an expression", source, key, json_excerpt(name)),
                        "name modules by the ends of their paths");
    QUERN_CHECK(check(source, fmt::format("{}.{}", key, name), value));
    to[name] = value.template get<T>();
  }
  return {};
}

Result<void> read_targets(const Json& json, const std::string& source, PeftConfig& config) {
  const auto found = json.find("target_modules");
  if (found == json.end() || found->is_null()) return {};
  if (found->is_string()) {
    config.targets = {found->get<std::string>()};
    return {};
  }
  return read(json, source, "target_modules", config.targets);
}

Result<std::vector<int32_t>> read_token_ids(const Json& list, const std::string& source,
                                            const std::string& key) {
  std::vector<int32_t> ids;
  const auto is_id = [](const Json& id) { return id.is_number_unsigned() && id <= int64_t{1} << 30; };
  if (!list.is_array() || !std::ranges::all_of(list, is_id))
    return wrong(source, key, "a list of token ids", list);
  for (const Json& id : list) ids.push_back(id.get<int32_t>());
  return ids;
}

Result<void> read_token_rows(const Json& json, const std::string& source, PeftConfig& config) {
  constexpr const char* kKey = "trainable_token_indices";
  const auto found = json.find(kKey);
  if (found == json.end() || found->is_null() || (found->is_array() && found->empty())) return {};
  if (!found->is_object()) {
    QUERN_TRY(config.token_rows[""], read_token_ids(*found, source, kKey));
    return {};
  }
  for (const auto& [table, list] : found->items()) {
    QUERN_TRY(config.token_rows[table], read_token_ids(list, source, fmt::format("{}.{}", kKey, table)));
  }
  return {};
}

// PEFT lists both names that it knows of heads, whichever the model has.
bool is_score(const Json& modules) {
  return modules.is_array() && std::ranges::all_of(modules, [](const Json& name) {
           return name == "score" || name == "classifier";
         });
}

Result<void> check_idle(const Json& json, const std::string& source) {
  const bool scores = json.value("task_type", Json()) == kScoringTask;
  for (const auto& [key, idle] : kIdle) {
    const auto found = json.find(key);
    if (scores && std::string_view(key) == "modules_to_save" && found != json.end() && is_score(*found))
      continue;
    if (found == json.end() || found->is_null() || *found == idle || (found->is_array() && found->empty()))
      continue;
    return make_error(ErrorCode::unsupported,
                      fmt::format("{}: {} is {}, which is not known here", source, key, json_excerpt(*found)),
                      "merge the adapter into its base model with PEFT, and use that");
  }
  return {};
}

}  // namespace

bool names_module(std::string_view pattern, std::string_view module) {
  if (pattern.starts_with('^')) return module == pattern.substr(1);
  if (!module.ends_with(pattern) || pattern.empty()) return false;
  return module.size() == pattern.size() || module[module.size() - pattern.size() - 1] == '.';
}

int64_t PeftConfig::rank_of(std::string_view module) const {
  const auto own =
      std::ranges::find_if(ranks, [&](const auto& entry) { return names_module(entry.first, module); });
  return own == ranks.end() ? rank : own->second;
}

double PeftConfig::scale_of(std::string_view module, int64_t module_rank) const {
  const auto own =
      std::ranges::find_if(alphas, [&](const auto& entry) { return names_module(entry.first, module); });
  const auto divisor = static_cast<double>(module_rank);
  return (own == alphas.end() ? alpha : own->second) / (rank_stabilised ? std::sqrt(divisor) : divisor);
}

namespace {

constexpr std::pair<std::string_view, PeftMethod> kMethods[] = {{"LORA", PeftMethod::lora},
                                                                {"PROMPT_TUNING", PeftMethod::prompt},
                                                                // What its encoder made is all that is saved.
                                                                {"P_TUNING", PeftMethod::prompt},
                                                                {"PREFIX_TUNING", PeftMethod::prefix}};

Result<PeftMethod> read_method(const Json& json, const std::string& source) {
  QUERN_TRY(const std::string name, json_get<std::string>(json, "peft_type", source));
  for (const auto& [known, method] : kMethods)
    if (name == known) return method;
  return make_error(
      ErrorCode::unsupported,
      fmt::format("{}: peft_type: expected LORA, PROMPT_TUNING, P_TUNING or PREFIX_TUNING, got {}", source,
                  json_excerpt(name)),
      "merge the adapter into its base model with PEFT, and use that");
}

Result<void> read_virtual_tokens(const Json& json, const std::string& source, PeftConfig& config) {
  PeftVirtualTokens& tokens = config.tokens;
  for (const auto& [key, to] : {std::pair{"num_virtual_tokens", &tokens.count},
                                {"token_dim", &tokens.width},
                                {"num_layers", &tokens.layers},
                                {"num_attention_heads", &tokens.heads}}) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) return wrong(source, key, "a whole number", nullptr);
    QUERN_CHECK(check_rank(source, key, *found));
    *to = found->get<int64_t>();
  }
  if (const auto parts = json.find("num_transformer_submodules");
      parts != json.end() && !parts->is_null() && *parts != 1) {
    return make_error(ErrorCode::unsupported,
                      fmt::format("{}: num_transformer_submodules is {}: it is of an encoder and a decoder",
                                  source, json_excerpt(*parts)),
                      "adapters are of decoders here");
  }
  QUERN_CHECK(read(json, source, "prefix_projection", tokens.projected));
  if (tokens.projected) QUERN_CHECK(read(json, source, "encoder_hidden_size", tokens.projection));
  return read(json, source, "prompt_tuning_init_text", tokens.init_text);
}

nlohmann::ordered_json write_virtual_tokens(const PeftConfig& config) {
  const PeftVirtualTokens& tokens = config.tokens;
  const bool prefix = config.method == PeftMethod::prefix, text = !tokens.init_text.empty();
  nlohmann::ordered_json json{{"peft_type", name_of(config.method)},
                              {"task_type", config.task},
                              {"base_model_name_or_path", config.base},
                              {"num_virtual_tokens", tokens.count},
                              {"token_dim", tokens.width},
                              {"num_transformer_submodules", 1},
                              {"num_attention_heads", tokens.heads},
                              {"num_layers", tokens.layers},
                              {"inference_mode", true}};
  if (config.base.empty()) json["base_model_name_or_path"] = nullptr;
  if (prefix) {
    json["prefix_projection"] = tokens.projected;
    json["encoder_hidden_size"] = tokens.projection;
  } else {
    json["prompt_tuning_init"] = text ? "TEXT" : "SAMPLE_VOCAB";
    if (text) json["prompt_tuning_init_text"] = tokens.init_text;
    if (text) json["tokenizer_name_or_path"] = config.base;
  }
  return json;
}

}  // namespace

std::string_view name_of(PeftMethod method) {
  if (method == PeftMethod::bottleneck) return "BOTTLENECK";  // PEFT has no such method
  return std::ranges::find(kMethods, method, &std::pair<std::string_view, PeftMethod>::second)->first;
}

Result<PeftConfig> read_peft_config(const Json& json, const std::string& source) {
  if (!json.is_object()) return wrong(source, "the file", "an object", json);
  if (is_adapter_hub_config(json)) return read_adapter_hub_config(json, source);
  PeftConfig config;
  QUERN_TRY(config.method, read_method(json, source));
  if (config.method != PeftMethod::lora) {
    QUERN_CHECK(read(json, source, "base_model_name_or_path", config.base));
    QUERN_CHECK(read(json, source, "task_type", config.task));
    QUERN_CHECK(read_virtual_tokens(json, source, config));
    return config;
  }
  for (const char* key : {"r", "lora_alpha"}) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) continue;
    QUERN_CHECK(std::string_view(key) == "r" ? check_rank(source, key, *found)
                                             : check_alpha(source, key, *found));
  }
  QUERN_CHECK(check_idle(json, source));
  QUERN_CHECK(read(json, source, "base_model_name_or_path", config.base));
  QUERN_CHECK(read(json, source, "task_type", config.task));
  QUERN_CHECK(read(json, source, "r", config.rank));
  QUERN_CHECK(read(json, source, "lora_alpha", config.alpha));
  QUERN_CHECK(read(json, source, "lora_dropout", config.dropout));
  if (!(config.dropout >= 0.0 && config.dropout < 1.0))
    return wrong(source, "lora_dropout", "a number from 0 to below 1", config.dropout);
  QUERN_CHECK(read(json, source, "use_rslora", config.rank_stabilised));
  QUERN_CHECK(read(json, source, "use_dora", config.magnitudes));
  QUERN_CHECK(read_targets(json, source, config));
  QUERN_CHECK(read_token_rows(json, source, config));
  QUERN_CHECK(read_pattern(json, source, "rank_pattern", check_rank, config.ranks));
  QUERN_CHECK(read_pattern(json, source, "alpha_pattern", check_alpha, config.alphas));
  return config;
}

nlohmann::ordered_json write_peft_config(const PeftConfig& config) {
  if (config.method == PeftMethod::bottleneck) return write_adapter_hub_config(config);
  if (config.method != PeftMethod::lora) return write_virtual_tokens(config);
  nlohmann::ordered_json json{{"peft_type", "LORA"},
                              {"task_type", config.task},
                              {"base_model_name_or_path", config.base},
                              {"r", config.rank},
                              {"lora_alpha", config.alpha},
                              {"lora_dropout", config.dropout},
                              {"use_rslora", config.rank_stabilised},
                              {"use_dora", config.magnitudes},
                              {"target_modules", config.targets},
                              {"rank_pattern", config.ranks},
                              {"alpha_pattern", config.alphas},
                              {"bias", "none"},
                              {"fan_in_fan_out", false},
                              {"init_lora_weights", true},
                              {"inference_mode", true}};
  if (config.scores()) json["modules_to_save"] = {"score"};
  if (config.token_rows.size() == 1 && config.token_rows.contains("")) {
    json["trainable_token_indices"] = config.token_rows.at("");
  } else if (!config.token_rows.empty()) {
    json["trainable_token_indices"] = config.token_rows;
  }
  if (config.base.empty()) json["base_model_name_or_path"] = nullptr;
  // PEFT's own are whole where they can be.
  if (config.alpha == std::floor(config.alpha)) json["lora_alpha"] = static_cast<int64_t>(config.alpha);
  return json;
}

namespace {

constexpr std::string_view kPeftOldFile = "adapter_model.bin";

std::string_view weights_file_of(const PeftConfig& config) {
  return config.method == PeftMethod::bottleneck ? kAdapterHubWeightsFile : kPeftWeightsFile;
}

}  // namespace

bool is_peft_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path / kPeftConfigFile, ignored);
}

Result<PeftFolder> PeftFolder::open(const fs::path& path) {
  if (!is_peft_folder(path)) {
    return make_error(ErrorCode::not_found, fmt::format("{} has no {}", path.string(), kPeftConfigFile),
                      "an adapter is a folder of adapter_config.json and adapter_model.safetensors");
  }
  QUERN_TRY(const Json json, read_json_file(path / kPeftConfigFile));
  QUERN_TRY(PeftConfig config, read_peft_config(json, (path / kPeftConfigFile).string()));
  const bool hub = config.method == PeftMethod::bottleneck;
  const std::string_view weights_file = weights_file_of(config),
                         old = hub ? kAdapterHubOldFile : kPeftOldFile;
  std::error_code ignored;
  if (!fs::exists(path / weights_file, ignored) && fs::exists(path / old, ignored)) {
    return make_error(ErrorCode::unsupported,
                      fmt::format("{} has no {}, only {}", path.string(), weights_file, old),
                      hub ? "save it again with use_safetensors=True"
                          : "save it again with PEFT, which writes safetensors by default");
  }
  QUERN_TRY(TensorArchive weights, TensorArchive::open(path / weights_file));
  return PeftFolder{std::move(config), std::move(weights), path};
}

Error PeftFolder::misfit(const std::string& what) const {
  const std::string base = config.base.empty() ? "" : fmt::format("; its base is {}", config.base);
  return make_error(ErrorCode::conflict,
                    fmt::format("{}: not an adapter of this model: {}", path.string(), what),
                    fmt::format("give the model that the adapter was trained on{}", base));
}

Result<void> write_peft_folder(const fs::path& folder, const PeftConfig& config,
                               std::vector<NamedTensor> tensors) {
  QUERN_CHECK(make_directories(folder));
  QUERN_CHECK(write_safetensors(folder / weights_file_of(config), std::move(tensors)));
  return write_file_atomic(folder / kPeftConfigFile, write_peft_config(config).dump(2) + "\n");
}

}  // namespace quern::formats
