// Any model as a Hugging Face folder.
#pragma once

#include <filesystem>
#include <optional>

#include "base/progress.h"
#include "base/result.h"
#include "model/decoder.h"
#include "tensor/dtype.h"
#include "text/tokenizer.h"

namespace quern::convert {

// Writes config.json, weights and tokenizer files of `path`, a model folder or a GGUF file, to `folder`, which appears
// when it is complete. Matrices are of `dtype` (floating); empty: the dtype of the model, f16 for a quantised one.
// Errors of load_model, save_model and readers of tokenizers; conflict when `folder` exists, unless `replace` and it is
// a model folder. `adapter`: a PEFT folder that is merged into the weights. Throws `cancelled` as throw_if_interrupted() does; nothing stays behind.
Result<void> save_as_hf(const std::filesystem::path& path, const std::filesystem::path& folder,
                        std::optional<DType> dtype, bool replace, Progress& progress,
                        const std::filesystem::path& adapter = {});

// The same of a decoder that is at hand, and the tokenizer that belongs to it.
Result<void> save_as_hf(const model::Decoder& model, const text::Tokenizer& tokenizer,
                        const std::filesystem::path& folder, DType dtype, bool replace, Progress& progress);

}  // namespace quern::convert
