// Model weights as safetensors: one file, or shards named by an index; read without copying, written
// atomically.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "formats/hf_folder.h"
#include "formats/safetensors_header.h"

namespace quern::formats {

inline constexpr int64_t kDefaultShardSize = 5'000'000'000;

// The tensors of one safetensors file, or of all the shards an index names. Immutable; thread-safe.
class TensorArchive {
 public:
  // `path` is a .safetensors file or an index (*.index.json). Maps the files and checks their headers:
  // `corrupt` says what is wrong in which file, `not_found` names a missing shard.
  static Result<TensorArchive> open(const std::filesystem::path& path);

  // Sorted by name.
  const std::vector<TensorEntry>& entries() const { return entries_; }
  // Null when there is none.
  const TensorEntry* find(std::string_view name) const;
  // The tensor over the mapped bytes, which stay mapped as long as it lives. The memory is READ-ONLY: clone
  // before writing. A tensor that the file does not align to its element size is a copy. not_found, or
  // unsupported for a dtype or a rank that Tensor does not have.
  Result<Tensor> tensor(std::string_view name) const;
  // "__metadata__"; of shards, the union.
  const SafetensorsMetadata& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  Result<void> add_file(const std::filesystem::path& path);
  Result<void> add_shards();

  std::filesystem::path path_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::vector<TensorEntry> entries_;
  SafetensorsMetadata metadata_;
};

// Writes `tensors` (each name once) to `path`, which appears only when it is complete and on disk.
// transformers asks for the metadata written by default.
Result<void> write_safetensors(const std::filesystem::path& path, std::vector<NamedTensor> tensors,
                               const SafetensorsMetadata& metadata = {{"format", "pt"}});

// Writes the weights of a model folder: kWeightsFile, or, when they take more than `shard_size` bytes, shards
// of at most that much data (a larger tensor has a shard of its own) filled in the order given, then their
// index. Weights that an earlier save left under other names are removed last. Each file is replaced
// atomically, the set of them is not: where that matters, write to a new folder and rename it.
Result<void> write_weights(const std::filesystem::path& folder, std::vector<NamedTensor> tensors,
                           int64_t shard_size = kDefaultShardSize);

}  // namespace quern::formats
