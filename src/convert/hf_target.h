// Any model as a Hugging Face folder.
#pragma once

#include <filesystem>
#include <optional>

#include "base/result.h"
#include "tensor/dtype.h"

namespace quern::convert {

// Writes config.json, weights and tokenizer files of `path`, a model folder or a GGUF file, to `folder`, which appears
// when it is complete. Matrices are of `dtype` (floating); empty: the dtype of the model, f16 for a quantised one.
// Errors of load_model, save_model and readers of tokenizers; conflict when `folder` exists, unless `replace` and it is
// a model folder.
Result<void> save_as_hf(const std::filesystem::path& path, const std::filesystem::path& folder,
                        std::optional<DType> dtype, bool replace);

}  // namespace quern::convert
