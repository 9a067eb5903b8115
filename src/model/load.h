// From a Hugging Face folder (config.json, *.safetensors) to a Decoder.
#pragma once

#include <filesystem>
#include <optional>

#include "formats/safetensors.h"
#include "model/decoder.h"

namespace quern::model {

struct LoadOptions {
  // Masters in f32 that train. Otherwise weights keep the dtype of the file and lie in the mapped file where
  // its layout allows, so a model starts without reading all of it.
  bool trainable = false;
  // Of activations (see Decoder::set_compute_dtype).
  DType compute_dtype = DType::f32;
};

// The config.json of `folder`. not_found, corrupt, invalid_argument, or unsupported for an unknown
// model_type.
Result<ModelConfig> load_config(const std::filesystem::path& folder);

// Errors of load_config, and of weights that do not fit the config: names tensors that are missing,
// unexpected or of another shape, with expected and got.
Result<Decoder> load_model(const std::filesystem::path& folder, const LoadOptions& options = {});

// Assigns `archive` to the parameters of `model` through its family's tensor names.
Result<void> load_weights(Decoder& model, const formats::TensorArchive& archive, bool trainable);

}  // namespace quern::model
