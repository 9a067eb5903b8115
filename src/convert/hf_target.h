// Any model as a Hugging Face folder.
#pragma once

#include <filesystem>
#include <functional>
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

// Makes `folder` of the tokenizer's files and of what `save_model` leaves in the folder that it is given; the same conflicts.
Result<void> write_hf_folder(const std::filesystem::path& folder, bool replace,
                             const text::Tokenizer& tokenizer,
                             const std::function<Result<void>(const std::filesystem::path&)>& save_model);

// The folder of a model at `path`, or the file itself.
Result<std::filesystem::path> find_source(const std::filesystem::path& path);

}  // namespace quern::convert
