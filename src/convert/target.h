// A model written in either format.
#pragma once

#include <filesystem>
#include <optional>

#include "base/progress.h"
#include "base/result.h"
#include "tensor/dtype.h"

namespace quern::convert {

enum class Format { gguf, hf };

struct Target {
  std::filesystem::path path;  // file of GGUF, or Hugging Face folder
  Format format = Format::gguf;
  std::optional<DType> dtype = {};  // of matrices, floating; nothing: as open_as_gguf() and save_as_hf() say
  bool replace = false;             // what is there
  std::filesystem::path adapter = {};  // PEFT folder that is merged into the weights
};

// conflict when there is something at `path`, unless `replace`.
Result<void> expect_free(const std::filesystem::path& path, bool replace);

// Writes the model at `source`, a folder or a GGUF file; the target appears when it is complete. Errors of open_as_gguf()
// and save_as_hf(); conflict when it exists and is not to be replaced.
Result<void> save(const std::filesystem::path& source, const Target& target, Progress& progress);

}  // namespace quern::convert
