// A model folder opened for use: weights and the tokenizer that belongs to them.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "model/load.h"
#include "text/tokenizer.h"

namespace quern::infer {

struct LoadedModel {
  model::Decoder model;
  text::Tokenizer tokenizer;
};

// Errors of load_model and Tokenizer::load; conflict when the tokenizer has more tokens than the model.
Result<LoadedModel> open_model(const std::filesystem::path& folder, DType compute_dtype);

}  // namespace quern::infer
