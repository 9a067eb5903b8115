// Family: how one published architecture maps onto ModelConfig and the model of its kind. One file of families/ each, one
// line in families/all.cpp.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"

namespace quern::model {

// One tensor of a checkpoint and the parameters of Decoder it holds.
struct TensorName {
  std::string file;  // its name in files
  std::vector<std::string>
      parameters;           // in Decoder; several when the file joins them along the output dimension
  bool transposed = false;  // the file holds [in, out] where Decoder holds [out, in]
  bool stacked = false;     // the parameters lie one after the other along a dimension of their own
  // Rows of the joined take turns: a part of each so many times. Of a stack: parameters that one of its matrices joins.
  int64_t groups = 1;
};

// How GGUF files hold the models of a family (model/gguf_config.h).
struct GgufForm {
  std::string_view architecture = {};  // general.architecture; families may share one; empty: GGUF has none
  // A key without the architecture before it, which tells the family from others of the architecture.
  std::string_view marker = {};
  // tokenizer.ggml.model of the family's files, and a tensor that they lack, where these tell it from the others.
  std::string_view tokenizer = {};
  std::string_view without = {};
  // Choices that such files make without a key for them; `config` has its sizes. Null: none.
  void (*imply)(ModelConfig& config) = nullptr;
  // Every tensor of a file, in the order of Decoder::visit.
  std::vector<TensorName> (*tensors)(const ModelConfig& config) = nullptr;
};

class ConfigReader;  // families/config_reader.h

struct Family {
  std::string_view name;  // model_type
  // The class that transformers opens it with; of encoders what their classes begin with ("Bert"), see
  // encoder_class.
  std::string_view architecture;
  // Of decoders: the class of reward models where it is not the other's stem with ForSequenceClassification.
  std::string_view classifier = {};
  std::string_view prefix = {};  // of tensor names; a checkpoint may lack it
  // The family's choices, with sizes left at 0.
  ModelConfig (*defaults)();
  // Keys of a config.json of any transformers generation; `config` has the defaults. The reader keeps errors.
  void (*read)(ConfigReader& reader, ModelConfig& config);
  // The keys of config.json but for those every family has (see write_config).
  nlohmann::ordered_json (*write)(const ModelConfig& config);
  // Every tensor of a checkpoint, in the order of the model's visit.
  std::vector<TensorName> (*tensors)(const ModelConfig& config) = nullptr;
  // Tensors that checkpoints may hold beside those: buffers of old versions, a second copy of a tied head.
  bool (*ignores)(std::string_view name) = nullptr;
  // The name that a tensor has today, from one it had in files of old versions; null: names never changed.
  std::string (*current_name)(std::string_view name) = nullptr;
  // Tensors of heads: checkpoints may hold those of another class than config.json names, which are left out with a
  // warning. Null: none.
  bool (*of_a_head)(std::string_view name) = nullptr;
  GgufForm gguf = {};
};

// transformers' class of a model: "LlamaForCausalLM", "BertForMaskedLM", "LlamaForSequenceClassification".
std::string class_name(const Family& family, const ModelConfig& config);

// `config` with the layout of weights (norm_offset, rope.half_split, position_offset) that files of its family have: a
// Hugging Face folder, a GGUF file. Precondition: the family is known.
ModelConfig hf_layout(const ModelConfig& config);
ModelConfig gguf_layout(const ModelConfig& config);

std::span<const Family* const> families();
// unsupported names the families there are.
Result<const Family*> find_family(std::string_view model_type);

// `base`, changed by every setting below `section` ("model.") that somebody made in `loaded`; those nobody
// made stay as `base` has them.
Result<ModelConfig> with_settings(ModelConfig base, const Fields& loaded, std::string_view section);

// invalid_argument naming the first setting of `wanted` that is another in `read_back`, what `format` ("a
// config.json of family 'gpt2'") makes of it; but for dropout, which matters while training only, and `except`.
Result<void> check_expressed(const ModelConfig& wanted, const ModelConfig& read_back, std::string_view format,
                             const std::vector<std::string_view>& except = {});

// config.json -> ModelConfig, validated. `source` names the file in errors.
Result<ModelConfig> read_config(const nlohmann::json& json, std::string_view source);
// ModelConfig -> config.json. invalid_argument names the first choice that the config's family cannot
// express.
Result<nlohmann::ordered_json> write_config(const ModelConfig& config);

}  // namespace quern::model
