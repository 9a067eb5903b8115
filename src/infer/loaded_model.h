// A model opened for use: weights, and the language that belongs to them.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "infer/language.h"
#include "model/load.h"

namespace quern::infer {

struct LoadedModel : Language {
  model::Decoder model;
};

// A Hugging Face folder, a training run, or a GGUF file (any file of a split one). Errors of load_model and
// open_language; conflict when the tokenizer has more tokens than the model.
// `pack`: see model::LoadOptions.
Result<LoadedModel> open_model(const std::filesystem::path& path, DType compute_dtype, bool pack = true);

}  // namespace quern::infer
