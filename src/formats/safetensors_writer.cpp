#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "formats/safetensors.h"

namespace quern::formats {

namespace {

// "model-00001-of-00003.safetensors", as published shards are called.
std::string shard_name(size_t index, size_t count) {
  return fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

bool is_shard_name(std::string_view name) {
  constexpr std::string_view kPattern = "model-#####-of-#####.safetensors";
  return std::equal(name.begin(), name.end(), kPattern.begin(), kPattern.end(),
                    [](char c, char p) { return p == '#' ? c >= '0' && c <= '9' : c == p; });
}

// Fills shards in order; a tensor that does not fit opens the next.
std::vector<std::vector<NamedTensor>> into_shards(std::vector<NamedTensor> tensors, int64_t shard_size) {
  std::vector<std::vector<NamedTensor>> shards(1);
  int64_t filled = 0;
  for (NamedTensor& item : tensors) {
    const int64_t bytes = item.tensor.bytes();
    if (!shards.back().empty() && bytes > shard_size - filled) {
      shards.emplace_back();
      filled = 0;
    }
    filled += bytes;
    shards.back().push_back(std::move(item));
  }
  return shards;
}

// Removes weight files of `folder` that are not in `kept`.
Result<void> remove_other_weights(const std::filesystem::path& folder, const std::set<std::string>& kept) {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = file.path().filename().string();
    if (kept.contains(name) || !(name == kWeightsFile || name == kWeightsIndexFile || is_shard_name(name)))
      continue;
    if (!std::filesystem::remove(file.path(), error) && error)
      return file_error("remove", file.path(), error.value());
  }
  return error ? Result<void>(file_error("list", folder, error.value())) : Result<void>();
}

Result<void> write_sharded(const std::filesystem::path& folder,
                           std::vector<std::vector<NamedTensor>> shards) {
  nlohmann::json weight_map = nlohmann::json::object();
  std::set<std::string> kept{std::string(kWeightsIndexFile)};
  int64_t total = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i, shards.size());
    for (const auto& [tensor_name, tensor] : shards[i]) {
      if (!weight_map.emplace(tensor_name, name).second) {
        return make_error(ErrorCode::invalid_argument,
                          fmt::format("safetensors: tensor {} is given twice", tensor_name));
      }
      total += tensor.bytes();
    }
    QUERN_CHECK(write_safetensors(folder / name, std::move(shards[i])));
    kept.insert(name);
  }
  const nlohmann::json index{{"metadata", {{"total_size", total}}}, {"weight_map", weight_map}};
  QUERN_CHECK(write_file_atomic(folder / kWeightsIndexFile, index.dump(2) + "\n"));
  return remove_other_weights(folder, kept);
}

}  // namespace

Result<void> write_safetensors(const std::filesystem::path& path, std::vector<NamedTensor> tensors,
                               const SafetensorsMetadata& metadata) {
  sort_for_safetensors(tensors);
  QUERN_TRY(const std::string header, format_safetensors_header(tensors, metadata));
  QUERN_TRY(AtomicFile file, AtomicFile::create(path));
  QUERN_CHECK(file.write(header));
  for (const auto& [name, tensor] : tensors) {
    QUERN_CHECK(
        file.write({static_cast<const std::byte*>(tensor.raw()), static_cast<size_t>(tensor.bytes())}));
  }
  return file.commit();
}

Result<void> write_weights(const std::filesystem::path& folder, std::vector<NamedTensor> tensors,
                           int64_t shard_size) {
  QUERN_CHECK(make_directories(folder));
  std::vector<std::vector<NamedTensor>> shards = into_shards(std::move(tensors), shard_size);
  if (shards.size() > 1) return write_sharded(folder, std::move(shards));
  QUERN_CHECK(write_safetensors(folder / kWeightsFile, std::move(shards.front())));
  return remove_other_weights(folder, {std::string(kWeightsFile)});
}

}  // namespace quern::formats
