// The metadata and tensors of a GGUF file that is open or still to be written. A tensor comes into memory when it
// is asked for, so that a model larger than memory can be converted.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "formats/gguf/archive.h"
#include "formats/gguf/metadata.h"

namespace quern::formats {

struct GgufEntry {
  std::string name;
  Shape shape;
  DType dtype = DType::f32;
  std::function<Result<Tensor>()> tensor;  // of this shape and dtype
};

struct GgufContents {
  GgufMetadata metadata;
  std::vector<GgufEntry> tensors;

  // Null when there is none.
  const GgufEntry* find(std::string_view name) const;
};

// Those of `archive`, over its mapped bytes. unsupported for a tensor of a type that Tensor does not have.
Result<GgufContents> contents_of(const GgufArchive& archive);

// Writes them as GgufWriter does; the first error of a tensor ends it, and nothing appears. Reports bytes.
Result<void> write_gguf(const std::filesystem::path& path, const GgufContents& contents, Progress& progress);

}  // namespace quern::formats
