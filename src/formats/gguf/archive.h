// Models as GGUF: one file, or the files model-00001-of-00003.gguf and so on that a model was split into;
// read without copying.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.h"
#include "formats/gguf/header.h"
#include "tensor/tensor.h"

namespace quern::formats {

inline constexpr std::string_view kGgufExtension = ".gguf";
// In every file of a split model: its number from 0, how many files there are, and how many tensors in all of
// them.
inline constexpr std::string_view kGgufSplitNo = "split.no";
inline constexpr std::string_view kGgufSplitCount = "split.count";
inline constexpr std::string_view kGgufSplitTensors = "split.tensors.count";

// A file that is named as one, or begins as one: whether it can be read is another question.
bool is_gguf(const std::filesystem::path& path);

// "model.gguf" as file number `no` (from 0) of `count`: "model-00001-of-00003.gguf".
std::filesystem::path gguf_split_path(const std::filesystem::path& path, uint64_t no, uint64_t count);

// The tensors and metadata of one GGUF file, or of all files of a split model. Immutable; thread-safe.
class GgufArchive {
 public:
  // `path` is a file, or any file of a split model, whose other files are found beside it by their names.
  // Maps them and checks their heads (formats/gguf/header.h): the error names the file. not_found names a
  // missing file of a split.
  static Result<GgufArchive> open(const std::filesystem::path& path);

  // In the order of the files.
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  // Null when there is none.
  const GgufTensor* find(std::string_view name) const;
  // The tensor over the mapped bytes, which stay mapped as long as it lives. The memory is READ-ONLY: clone
  // before writing. A tensor that the file does not align to its element size is a copy. not_found, or
  // unsupported for a type that Tensor does not have.
  Result<Tensor> tensor(std::string_view name) const;
  // Drops the mapped bytes from this process's memory; what is read again comes back from the file.
  void release() const;
  // Of the first file.
  const GgufMetadata& metadata() const { return metadata_; }
  uint32_t version() const { return version_; }
  size_t file_count() const { return files_.size(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  // Maps `path` as file number `no` of `count`.
  Result<void> add_file(const std::filesystem::path& path, uint64_t no, uint64_t count);
  Result<void> add_tensors(const std::filesystem::path& path, std::vector<GgufTensor> tensors);

  std::filesystem::path path_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::vector<GgufTensor> tensors_;
  std::unordered_map<std::string, size_t> index_;
  GgufMetadata metadata_;
  uint32_t version_ = kGgufVersion;
};

}  // namespace quern::formats
