// From a Decoder to a Hugging Face folder that transformers opens.
#pragma once

#include <filesystem>

#include "model/decoder.h"

namespace quern::model {

// Writes config.json and the weights, as `dtype`, to `folder` (made when absent). Tokenizer files are the
// caller's. invalid_argument when the config's family cannot express the model; nothing is written then.
Result<void> save_model(const Decoder& model, const std::filesystem::path& folder, DType dtype);
// The same in the dtype the config asks for.
Result<void> save_model(const Decoder& model, const std::filesystem::path& folder);

}  // namespace quern::model
