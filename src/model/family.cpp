#include "model/family.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/families/config_reader.h"

namespace quern::model {

namespace {

// Files may hold numbers in single precision.
bool same_value(const nlohmann::ordered_json& a, const nlohmann::ordered_json& b) {
  if (a.is_number_float() && b.is_number_float()) return a.get<float>() == b.get<float>();
  return a == b;
}

ModelConfig with_layout(ModelConfig config, const ModelConfig& layout) {
  config.norm_offset = layout.norm_offset;
  config.rope.half_split = layout.rope.half_split;
  config.position_offset = layout.position_offset;
  return config;
}

Result<ModelConfig> read_as(const Family& family, const nlohmann::json& json) {
  ModelConfig config = family.defaults();
  ConfigReader reader(json);
  if (config.kind == Kind::encoder) reader.head(family.architecture, config);
  if (config.kind == Kind::decoder) reader.score(config);
  family.read(reader, config);
  QUERN_CHECK(reader.finish());
  return config;
}

}  // namespace

std::string class_name(const Family& family, const ModelConfig& config) {
  if (config.scores()) {
    if (!family.classifier.empty()) return std::string(family.classifier);
    const size_t stem = std::min(family.architecture.find("ForCausalLM"), family.architecture.find("LMHead"));
    return std::string(family.architecture.substr(0, stem)) + std::string(class_suffix(config.head));
  }
  if (config.kind != Kind::encoder) return std::string(family.architecture);
  return std::string(family.architecture) + std::string(class_suffix(config.head));
}

ModelConfig hf_layout(const ModelConfig& config) {
  ModelConfig layout = find_family(config.family).value()->defaults();
  if (config.position_offset > 0) layout.position_offset = config.position_offset;
  return with_layout(config, layout);
}

ModelConfig gguf_layout(const ModelConfig& config) {
  const Family* family = find_family(config.family).value();
  ModelConfig implied = family->defaults();
  implied.layers = implied.hidden = implied.heads = 1;
  if (family->gguf.imply) family->gguf.imply(implied);
  return with_layout(config, implied);
}

Result<const Family*> find_family(std::string_view model_type) {
  std::string known;
  for (const Family* family : families()) {
    if (family->name == model_type) return family;
    known += (known.empty() ? "" : ", ") + std::string(family->name);
  }
  return make_error(ErrorCode::unsupported, fmt::format("model_type '{}' is not known", model_type),
                    "Quern knows: " + known);
}

Result<void> check_expressed(const ModelConfig& wanted, const ModelConfig& read_back, std::string_view format,
                             const std::vector<std::string_view>& except) {
  ModelConfig before = wanted.resolved(), after = read_back.resolved();
  const Fields expected = fields_of(before), got = fields_of(after);
  for (const Field& field : expected.all()) {
    const nlohmann::ordered_json value = field.value(), other = got.find(field.key())->value();
    if (same_value(value, other) || field.key() == "dropout") continue;
    if (std::ranges::find(except, field.key()) != except.end()) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{} cannot say {} = {} (it would be read as {})", format, field.key(),
                                  value.dump(), other.dump()),
                      "choose another family, or the family's own setting");
  }
  return {};
}

Result<ModelConfig> with_settings(ModelConfig base, const Fields& loaded, std::string_view section) {
  Fields target = fields_of(base);
  for (const Field& field : loaded.all()) {
    if (!field.key().starts_with(section) || field.origin().empty()) continue;
    const nlohmann::ordered_json value = field.value();
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    QUERN_CHECK(target.set(field.key().substr(section.size()) + "=" + text, field.origin()));
  }
  return base;
}

Result<ModelConfig> read_config(const nlohmann::json& json, std::string_view source) {
  const auto read = [&]() -> Result<ModelConfig> {
    if (!json.is_object()) return make_error(ErrorCode::corrupt, "expected a JSON object");
    const auto type = json.find("model_type");
    if (type == json.end() || !type->is_string()) {
      return make_error(ErrorCode::invalid_argument, "expected a text under model_type, got none",
                        "this is no model configuration of transformers");
    }
    QUERN_TRY(const Family* family, find_family(type->get<std::string>()));
    QUERN_TRY(const ModelConfig config, read_as(*family, json));
    QUERN_CHECK(config.validate());
    return config.resolved();
  };
  Result<ModelConfig> config = read();
  if (!config.ok()) return std::move(config.error()).within(source);
  return config;
}

Result<nlohmann::ordered_json> write_config(const ModelConfig& config) {
  QUERN_CHECK(config.validate());
  QUERN_TRY(const Family* family, find_family(config.family));
  const ModelConfig c = config.resolved();
  nlohmann::ordered_json json{{"architectures", {class_name(*family, c)}}, {"model_type", family->name}};
  json.update(family->write(c));
  if (c.head != Head::none) write_head(c, json);
  json["vocab_size"] = c.vocab_size;
  json["tie_word_embeddings"] = c.tied_embeddings;
  json["initializer_range"] = c.init_std;
  const auto token = [](int64_t id) {
    return id < 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(id);
  };
  json["bos_token_id"] = token(c.bos_token);
  json["eos_token_id"] =
      c.eos_tokens.size() == 1 ? token(c.eos_tokens[0]) : nlohmann::ordered_json(c.eos_tokens);
  if (c.eos_tokens.empty()) json["eos_token_id"] = nullptr;
  json["pad_token_id"] = token(c.pad_token);
  json["torch_dtype"] = dtype_name(c.dtype);
  if (c.kind != Kind::encoder) json["use_cache"] = true;
  QUERN_TRY(const ModelConfig read_back, read_as(*family, nlohmann::json(json)));
  // That a pooler is missing is told by the weights.
  std::vector<std::string_view> except;
  if (c.kind == Kind::encoder && c.head == Head::none) except.push_back("head_activation");
  QUERN_CHECK(check_expressed(c, read_back, fmt::format("a config.json of family '{}'", c.family), except));
  return json;
}

}  // namespace quern::model
