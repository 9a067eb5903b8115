// Writes models as GGUF, one tensor after another, so that a model larger than memory can be converted.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "formats/gguf/metadata.h"
#include "tensor/tensor.h"

namespace quern::formats {

// A tensor to be written.
struct GgufTensorPlan {
  std::string name;
  Shape shape;  // at most 4 extents, row-major
  DType dtype = DType::f32;
};

// A GGUF file of version 3 being written, or the files of a split model. All tensors are named first; then
// their elements follow in that order. A file appears under its name when it is complete; of a split model
// the files appear one by one. Not thread-safe.
//   QUERN_TRY(auto writer, GgufWriter::create(path, metadata, plans));
//   for (...) QUERN_CHECK(writer.add(tensor));
//   QUERN_CHECK(writer.finish());
class GgufWriter {
 public:
  // `split_size` > 0 begins a new file whenever the data of one would pass that many bytes (a larger tensor
  // has a file of its own); more than one file are named by gguf_split_path. Adds
  // general.quantization_version where the format wants it, and the split.* keys; other files than the first
  // hold nothing else. invalid_argument on repeated, empty or too long names, an empty or too long key, more
  // than 4 extents, a dtype that GGUF lacks, or a general.alignment that is no power of two of at least 8.
  static Result<GgufWriter> create(const std::filesystem::path& path, GgufMetadata metadata,
                                   std::vector<GgufTensorPlan> plans, uint64_t split_size = 0);

  // The next tensor. Throws ShapeError unless it has the planned shape and dtype.
  Result<void> add(const Tensor& tensor);
  // Completes the (last) file. Throws InternalError when tensors are missing.
  Result<void> finish();

  // The files written, complete after finish().
  const std::vector<std::filesystem::path>& paths() const { return paths_; }

 private:
  GgufWriter(std::vector<GgufTensorPlan> plans, uint64_t alignment)
      : plans_(std::move(plans)), alignment_(alignment) {}

  // Commits the file at hand and begins the one that `next_` belongs to.
  Result<void> next_file();

  std::vector<GgufTensorPlan> plans_;
  uint64_t alignment_;
  GgufMetadata metadata_;       // of the first file
  std::vector<size_t> starts_;  // the first tensor of each file, and the number of all
  std::vector<std::filesystem::path> paths_;
  std::optional<AtomicFile> file_;
  size_t next_ = 0;    // tensor
  size_t opened_ = 0;  // files
};

}  // namespace quern::formats
