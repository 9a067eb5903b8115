// Reads the keys of a config.json and remembers the first that is wrong, so that a family reads as a list of
// keys.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/config.h"

namespace quern::model {

class ConfigReader {
 public:
  // `json` is an object and must outlive the reader.
  explicit ConfigReader(const nlohmann::json& json) : json_(json) {}

  // The value of `key`; `fallback` when it is absent or null, or wrong: then finish() tells.
  int64_t integer(const char* key, int64_t fallback);
  double number(const char* key, double fallback);
  bool boolean(const char* key, bool fallback);
  std::string text(const char* key, const std::string& fallback);
  // Whether `key` is there and null: none, where an absent key means a default.
  bool is_null(const char* key) const;
  // Required, at least 1.
  int64_t size(const char* key);
  // One id or a list of ids; none when absent or null.
  std::vector<int64_t> tokens(const char* key);
  // A list of numbers; none when absent or null.
  std::vector<double> numbers(const char* key);
  ops::Activation activation(const char* key, const std::string& fallback);
  // Sets config.rope by rope_parameters (transformers 5), or rope_theta and rope_scaling (before), when heads and
  // positions are known. Where they are told by type of layer, those of full attention. The theta of `config` and
  // `partial`, the part of a head that rotates, stand where none is told. Dynamic NTK multiplies config.max_positions,
  // which it takes for the context of the unscaled model, by its factor.
  void rope(ModelConfig& config, double partial = 1.0);
  // The theta of layers with a window: rope_parameters by type of layer (transformers 5), or
  // rope_local_base_freq.
  double local_rope_theta(double fallback);
  // The layers that layer_types gives full attention; without that key, those of which `full` is true.
  std::vector<int64_t> full_layers(int64_t layers, const std::function<bool(int64_t layer)>& full);
  // The layers whose element of the list under `key` is 0; without that key, those of which `zero` is true.
  std::vector<int64_t> zero_layers(const char* key, int64_t layers,
                                   const std::function<bool(int64_t layer)>& zero);
  // A switch that Quern has in one position only.
  void expect(const char* key, bool wanted);
  // A number that Quern has in one size only, and a choice that it has not.
  void expect_size(const char* key, int64_t wanted);
  void expect_null(const char* key);
  // Words of a list, or of a text in which | stands between them, in any order.
  void expect_words(const char* key, std::vector<std::string> wanted);
  void expect_text(const char* key, std::string_view wanted);
  // Reads the keys of the object under `key`; errors name it.
  void inside(const char* key, const std::function<void(ConfigReader& inner)>& read);
  // What every family has: vocabulary, dtype, special tokens, tying, initialisation.
  void common(ModelConfig& config);
  // Of encoders: the head that the class under "architectures" has, which begins with `stem`, its labels and what its
  // outputs mean. Without that key the encoder alone.
  void head(std::string_view stem, ModelConfig& config);
  // Of decoders: the same where the class is one ForSequenceClassification; others have no head but the language's.
  void score(ModelConfig& config);

  // The first error so far.
  Result<void> finish() const;

 private:
  const nlohmann::json* find(const char* key) const;
  void wrong(const char* key, std::string_view expected);
  nlohmann::json object(const char* key);
  std::vector<std::string> labels();
  void outputs(ModelConfig& config);
  std::vector<int64_t> layers_where(const char* key, int64_t layers,
                                    const std::function<bool(const nlohmann::json&)>& chosen,
                                    const std::function<bool(int64_t)>& otherwise);

  const nlohmann::json& json_;
  std::optional<Error> error_;
};

// The writing side.
std::string_view activation_name(ops::Activation activation);
std::string_view dtype_name(DType dtype);
// What the names of transformers' classes of encoders end with: "ForMaskedLM".
std::string_view class_suffix(Head head);
// Adds labels and what outputs mean.
void write_head(const ModelConfig& config, nlohmann::ordered_json& json);
// null for 0.
nlohmann::ordered_json or_null(int64_t value);
nlohmann::ordered_json or_null(double value);
// Adds rope_theta and rope_scaling, which transformers 4 and 5 both read, to keys that have max_position_embeddings.
void write_rope(const ModelConfig& config, nlohmann::ordered_json& json);
// The value of layer_types.
nlohmann::ordered_json layer_types(const ModelConfig& config);

}  // namespace quern::model
