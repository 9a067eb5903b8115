#include "model/families/config_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace quern::model {

namespace {

using Json = nlohmann::json;
using ops::Activation;
using ops::RopeScaling;

// transformers' names; of several for one function the first is written.
constexpr std::array<std::pair<std::string_view, Activation>, 9> kActivations{{
    {"gelu", Activation::gelu_erf},
    {"gelu_new", Activation::gelu_tanh},
    {"gelu_pytorch_tanh", Activation::gelu_tanh},
    {"gelu_fast", Activation::gelu_tanh},
    {"gelu_python", Activation::gelu_erf},
    {"silu", Activation::silu},
    {"swish", Activation::silu},
    {"relu", Activation::relu},
    {"relu2", Activation::relu_squared},
}};

constexpr std::array<std::pair<std::string_view, DType>, 3> kDTypes{{
    {"float32", DType::f32},
    {"bfloat16", DType::bf16},
    {"float16", DType::f16},
}};

constexpr std::array<std::pair<std::string_view, RopeScaling>, 8> kRopeTypes{{
    {"default", RopeScaling::none},
    {"none", RopeScaling::none},
    {"linear", RopeScaling::linear},
    {"dynamic", RopeScaling::ntk},
    {"yarn", RopeScaling::yarn},
    {"llama3", RopeScaling::llama3},
    {"longrope", RopeScaling::longrope},
    {"su", RopeScaling::longrope},
}};

// Scalings that say where the unscaled model ended.
bool names_original(RopeScaling scaling) {
  return scaling == RopeScaling::yarn || scaling == RopeScaling::llama3 || scaling == RopeScaling::longrope;
}

// transformers' types of layers.
constexpr const char* kFull = "full_attention";
constexpr const char* kSliding = "sliding_attention";

template <class Table>
auto value_named(const Table& table, std::string_view name) -> std::optional<decltype(table[0].second)> {
  for (const auto& [known, value] : table) {
    if (known == name) return value;
  }
  return std::nullopt;
}

template <class Table, class Value>
std::string_view name_in(const Table& table, Value value) {
  for (const auto& [name, known] : table) {
    if (known == value) return name;
  }
  return "";
}

template <class Table>
std::string names_in(const Table& table) {
  std::string names;
  for (const auto& [name, value] : table) names += (names.empty() ? "" : " | ") + std::string(name);
  return names;
}

}  // namespace

const Json* ConfigReader::find(const char* key) const {
  const auto found = json_.find(key);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

bool ConfigReader::is_null(const char* key) const {
  const auto found = json_.find(key);
  return found != json_.end() && found->is_null();
}

void ConfigReader::wrong(const char* key, std::string_view expected) {
  if (error_) return;
  const Json* value = find(key);
  std::string got = value ? value->dump(-1, ' ', false, Json::error_handler_t::replace) : "nothing";
  if (got.size() > 80) got = got.substr(0, 80) + "...";
  error_ =
      make_error(ErrorCode::invalid_argument, fmt::format("{}: expected {}, got {}", key, expected, got));
}

int64_t ConfigReader::integer(const char* key, int64_t fallback) {
  const Json* value = find(key);
  if (!value) return fallback;
  if (value->is_number_integer() && !(value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX)) {
    return value->get<int64_t>();
  }
  wrong(key, "an integer");
  return fallback;
}

double ConfigReader::number(const char* key, double fallback) {
  const Json* value = find(key);
  if (!value) return fallback;
  if (value->is_number()) return value->get<double>();
  wrong(key, "a number");
  return fallback;
}

bool ConfigReader::boolean(const char* key, bool fallback) {
  const Json* value = find(key);
  if (!value) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  wrong(key, "true or false");
  return fallback;
}

std::string ConfigReader::text(const char* key, const std::string& fallback) {
  const Json* value = find(key);
  if (!value) return fallback;
  if (value->is_string()) return value->get<std::string>();
  wrong(key, "text");
  return fallback;
}

int64_t ConfigReader::size(const char* key) {
  const int64_t value = integer(key, 0);
  if (value < 1) wrong(key, "an integer of at least 1");
  return value;
}

std::vector<int64_t> ConfigReader::tokens(const char* key) {
  const Json* value = find(key);
  if (!value) return {};
  if (!value->is_array()) return {integer(key, 0)};
  std::vector<int64_t> ids;
  for (const Json& id : *value) {
    if (!id.is_number_integer())
      wrong(key, "an integer or a list of integers");
    else
      ids.push_back(id.get<int64_t>());
  }
  return ids;
}

std::vector<double> ConfigReader::numbers(const char* key) {
  const Json* value = find(key);
  if (!value) return {};
  const auto is_number = [](const Json& element) { return element.is_number(); };
  if (value->is_array() && std::ranges::all_of(*value, is_number)) return value->get<std::vector<double>>();
  wrong(key, "a list of numbers");
  return {};
}

ops::Activation ConfigReader::activation(const char* key, const std::string& fallback) {
  const std::optional<Activation> found = value_named(kActivations, text(key, fallback));
  if (!found) wrong(key, names_in(kActivations));
  return found.value_or(Activation::identity);
}

void ConfigReader::expect(const char* key, bool wanted) {
  if (boolean(key, wanted) != wanted)
    wrong(key, wanted ? "true (Quern has no other form)" : "false (Quern has no other form)");
}

void ConfigReader::expect_size(const char* key, int64_t wanted) {
  if (integer(key, wanted) != wanted) wrong(key, fmt::format("{} (Quern has no other form)", wanted));
}

void ConfigReader::expect_null(const char* key) {
  if (find(key)) wrong(key, "null (Quern has no other form)");
}

void ConfigReader::expect_words(const char* key, std::vector<std::string> wanted) {
  const Json* value = find(key);
  std::vector<std::string> words;
  if (value && value->is_string()) {
    std::string_view rest = value->get_ref<const std::string&>();
    for (size_t bar = 0; bar != rest.npos; rest.remove_prefix(std::min(rest.size(), bar + 1))) {
      bar = rest.find('|');
      words.emplace_back(rest.substr(0, bar));
    }
  }
  for (const Json& word : value && value->is_array() ? *value : Json::array())
    words.push_back(word.is_string() ? word.get<std::string>() : "");
  std::ranges::sort(words);
  std::ranges::sort(wanted);
  if (words != wanted) wrong(key, fmt::format("{} (Quern has no other form)", fmt::join(wanted, "|")));
}

void ConfigReader::expect_text(const char* key, std::string_view wanted) {
  if (text(key, std::string(wanted)) != wanted)
    wrong(key, fmt::format("{} (Quern has no other form)", wanted));
}

void ConfigReader::inside(const char* key, const std::function<void(ConfigReader&)>& read) {
  const Json settings = object(key);
  ConfigReader inner(settings);
  read(inner);
  if (inner.error_ && !error_) error_ = Error(*inner.error_).within(key);
}

void ConfigReader::common(ModelConfig& config) {
  config.vocab_size = size("vocab_size");
  config.tied_embeddings = boolean("tie_word_embeddings", config.tied_embeddings);
  config.init_std = number("initializer_range", config.init_std);
  config.bos_token = integer("bos_token_id", -1);
  config.eos_tokens = tokens("eos_token_id");
  config.pad_token = integer("pad_token_id", -1);
  const char* key = find("dtype") ? "dtype" : "torch_dtype";
  const std::optional<DType> dtype = value_named(kDTypes, text(key, "float32"));
  if (!dtype) wrong(key, names_in(kDTypes));
  config.dtype = dtype.value_or(DType::f32);
}

// The object under `key`; an empty one when it is absent, null or wrong.
Json ConfigReader::object(const char* key) {
  const Json* found = find(key);
  if (found && found->is_object()) return *found;
  if (found) wrong(key, "an object");
  return Json::object();
}

double ConfigReader::local_rope_theta(double fallback) {
  fallback = number("rope_local_base_freq", fallback);
  const Json settings = object("rope_parameters");
  ConfigReader by_type(settings);
  const Json local = by_type.object("sliding_attention");
  ConfigReader reader(local);
  if (reader.text("rope_type", "default") != "default")
    reader.wrong("rope_type", "default, in sliding_attention");
  const double theta = reader.number("rope_theta", fallback);
  for (const ConfigReader* inner : {&by_type, &reader}) {
    if (inner->error_ && !error_) error_ = Error(*inner->error_).within("rope_parameters");
  }
  return theta;
}

std::vector<int64_t> ConfigReader::layers_where(const char* key, int64_t layers,
                                                const std::function<bool(const Json&)>& chosen,
                                                const std::function<bool(int64_t)>& otherwise) {
  const Json* list = find(key);
  const bool fits = list && list->is_array() && static_cast<int64_t>(list->size()) >= layers;
  if (list && !fits) wrong(key, fmt::format("a list of {} layers", layers));
  std::vector<int64_t> result;
  for (int64_t layer = 0; layer < std::min(layers, kMaxLayers); ++layer) {
    const bool yes = fits ? chosen((*list)[static_cast<size_t>(layer)]) : otherwise(layer);
    if (yes) result.push_back(layer);
  }
  return result;
}

std::vector<int64_t> ConfigReader::full_layers(int64_t layers, const std::function<bool(int64_t)>& full) {
  const auto is_full = [&](const Json& type) {
    if (type != kFull && type != kSliding) wrong("layer_types", fmt::format("{} | {}", kFull, kSliding));
    return type == kFull;
  };
  return layers_where("layer_types", layers, is_full, full);
}

std::vector<int64_t> ConfigReader::zero_layers(const char* key, int64_t layers,
                                               const std::function<bool(int64_t)>& zero) {
  const auto is_zero = [&](const Json& value) {
    if (value != 0 && value != 1) wrong(key, "a list of 0 and 1");
    return value == 0;
  };
  return layers_where(key, layers, is_zero, zero);
}

void ConfigReader::rope(ModelConfig& config, double partial) {
  const char* key = find("rope_parameters") ? "rope_parameters" : "rope_scaling";
  Json settings = object(key);
  if (const auto full = settings.find("full_attention"); full != settings.end() && full->is_object()) {
    settings = Json(*full);
  }
  ConfigReader reader(settings);
  const std::string type = reader.text("rope_type", reader.text("type", "default"));
  const std::optional<RopeScaling> scaling = value_named(kRopeTypes, type);
  if (!scaling) wrong(key, "a rope_type of " + names_in(kRopeTypes));

  ops::RopeConfig& rope = config.rope;
  rope.theta = reader.number("rope_theta", number("rope_theta", rope.theta));
  const double part = reader.number("partial_rotary_factor", number("partial_rotary_factor", partial));
  const auto head_dim = static_cast<double>(config.resolved().head_dim);
  rope.rotary = part > 0.0 && part <= 1.0 ? static_cast<int64_t>(head_dim * part) : -1;
  rope.scaling = scaling.value_or(RopeScaling::none);
  if (names_original(rope.scaling)) {
    rope.original_positions =
        reader.integer("original_max_position_embeddings",
                       integer("original_max_position_embeddings", config.max_positions));
  }
  if (rope.scaling != RopeScaling::none) {
    const double grown =
        static_cast<double>(config.max_positions) / static_cast<double>(rope.original_positions);
    const bool derived = rope.scaling == RopeScaling::yarn || rope.scaling == RopeScaling::longrope;
    rope.factor = reader.number("factor", derived ? grown : 0.0);
  }
  // Dynamic NTK stretches what lies past max_position_embeddings; the others say where the unscaled model
  // ended.
  if (rope.scaling == RopeScaling::ntk) {
    rope.original_positions = config.max_positions;
    const double reach = static_cast<double>(config.max_positions) * rope.factor;
    if (!(rope.factor >= 1.0 && reach < 1e15))
      reader.wrong("factor", "at least 1");
    else
      config.max_positions = static_cast<int64_t>(reach);
  }
  rope.short_factors = reader.numbers("short_factor");
  rope.long_factors = reader.numbers("long_factor");
  rope.beta_fast = reader.number("beta_fast", rope.beta_fast);
  rope.beta_slow = reader.number("beta_slow", rope.beta_slow);
  rope.truncate = reader.boolean("truncate", rope.truncate);
  rope.low_freq_factor = reader.number("low_freq_factor", rope.low_freq_factor);
  rope.high_freq_factor = reader.number("high_freq_factor", rope.high_freq_factor);
  for (const auto& [name, value] :
       {std::pair{"attention_factor", &rope.attention_factor}, std::pair{"mscale", &rope.mscale},
        std::pair{"mscale_all_dim", &rope.mscale_all_dim}}) {
    if (reader.find(name)) *value = reader.number(name, 0.0);
  }
  if (reader.error_ && !error_) error_ = std::move(*reader.error_).within(key);
}

Result<void> ConfigReader::finish() const {
  if (error_) return *error_;
  return {};
}

std::string_view activation_name(Activation activation) { return name_in(kActivations, activation); }
nlohmann::ordered_json or_null(int64_t value) {
  return value == 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(value);
}

nlohmann::ordered_json or_null(double value) {
  return value == 0.0 ? nlohmann::ordered_json() : nlohmann::ordered_json(value);
}

nlohmann::ordered_json layer_types(const ModelConfig& config) {
  nlohmann::ordered_json types = nlohmann::ordered_json::array();
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    types.push_back(config.window_of(layer) > 0 ? kSliding : kFull);
  }
  return types;
}

std::string_view dtype_name(DType dtype) { return name_in(kDTypes, dtype); }

void write_rope(const ModelConfig& config, nlohmann::ordered_json& json) {
  const ops::RopeConfig& rope = config.rope;
  json["rope_theta"] = rope.theta;
  json["rope_scaling"] = nullptr;
  if (rope.rotary != config.head_dim) {
    json["partial_rotary_factor"] = static_cast<double>(rope.rotary) / static_cast<double>(config.head_dim);
  }
  if (rope.scaling == RopeScaling::none) return;
  nlohmann::ordered_json scaling;
  scaling["rope_type"] = name_in(kRopeTypes, rope.scaling);
  scaling["factor"] = rope.factor;
  // The context that dynamic NTK reaches is implied.
  if (rope.scaling == RopeScaling::ntk) {
    json["max_position_embeddings"] = rope.original_positions;
  } else if (rope.scaling != RopeScaling::linear) {
    scaling["original_max_position_embeddings"] = rope.original_positions;
  }
  if (rope.scaling == RopeScaling::llama3) {
    scaling["low_freq_factor"] = rope.low_freq_factor;
    scaling["high_freq_factor"] = rope.high_freq_factor;
  }
  if (rope.scaling == RopeScaling::yarn) {
    scaling["beta_fast"] = rope.beta_fast;
    scaling["beta_slow"] = rope.beta_slow;
    scaling["truncate"] = rope.truncate;
    if (rope.mscale) scaling["mscale"] = *rope.mscale;
    if (rope.mscale_all_dim) scaling["mscale_all_dim"] = *rope.mscale_all_dim;
  }
  if (rope.scaling == RopeScaling::longrope) {
    scaling["short_factor"] = rope.short_factors;
    scaling["long_factor"] = rope.long_factors;
  }
  if (rope.attention_factor) scaling["attention_factor"] = *rope.attention_factor;
  json["rope_scaling"] = std::move(scaling);
}

}  // namespace quern::model
