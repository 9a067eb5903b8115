#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "base/json.h"
#include "formats/safetensors.h"

namespace quern::formats {

namespace {

constexpr std::string_view kIndexSuffix = ".index.json";

bool by_name(const TensorEntry& a, const TensorEntry& b) { return a.name < b.name; }

Error corrupt_index(const std::filesystem::path& path, std::string_view what) {
  return make_error(ErrorCode::corrupt, fmt::format("{}: {}", path.string(), what),
                    "fetch or write the index and its shards again");
}

// "weight_map" of an index: the file of every tensor.
Result<std::map<std::string, std::string>> read_weight_map(const std::filesystem::path& path) {
  QUERN_TRY(const nlohmann::json index, read_json_file(path));
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    return corrupt_index(path, "expected a JSON object with an object \"weight_map\"");
  }
  std::map<std::string, std::string> map;
  for (auto& [name, file] : index["weight_map"].items()) {
    const std::string shard = file.is_string() ? file.get<std::string>() : "";
    // A shard lies beside its index: a downloaded index must not reach other files.
    if (shard.empty() || shard == "." || shard == ".." ||
        shard.find_first_of(std::string_view("/\\\0", 3)) != shard.npos) {
      return corrupt_index(
          path, fmt::format("weight_map maps {} to {}, expected the name of a file in the same folder",
                            json_excerpt(name), json_excerpt(file)));
    }
    map.emplace(name, shard);
  }
  return map;
}

}  // namespace

Result<TensorArchive> TensorArchive::open(const std::filesystem::path& path) {
  TensorArchive archive;
  archive.path_ = path;
  const bool sharded = path.string().ends_with(kIndexSuffix);
  QUERN_CHECK(sharded ? archive.add_shards() : archive.add_file(path));
  return archive;
}

Result<void> TensorArchive::add_file(const std::filesystem::path& path) {
  QUERN_TRY(MappedFile file, MappedFile::open(path));
  Result<SafetensorsHeader> header = parse_safetensors(file.bytes());
  if (!header.ok()) return std::move(header).error().within(path.string());
  for (TensorEntry& entry : header->entries) {
    entry.file = files_.size();
    entries_.push_back(std::move(entry));
  }
  metadata_.merge(header->metadata);
  files_.push_back(std::make_shared<const MappedFile>(std::move(file)));
  return {};
}

Result<void> TensorArchive::add_shards() {
  QUERN_TRY(const auto weight_map, read_weight_map(path_));
  std::set<std::string> shards;
  for (const auto& [name, shard] : weight_map) shards.insert(shard);
  for (const std::string& shard : shards) {
    if (auto added = add_file(path_.parent_path() / shard); !added.ok()) {
      return std::move(added).error().within(path_.string());
    }
  }
  std::sort(entries_.begin(), entries_.end(), by_name);
  const auto twice =
      std::adjacent_find(entries_.begin(), entries_.end(),
                         [](const TensorEntry& a, const TensorEntry& b) { return a.name == b.name; });
  if (twice != entries_.end()) {
    return corrupt_index(
        path_, fmt::format("two shards, {} and {}, hold tensor {}", files_[twice->file]->path().string(),
                           files_[(twice + 1)->file]->path().string(), json_excerpt(twice->name)));
  }
  for (const auto& [name, shard] : weight_map) {
    const TensorEntry* entry = find(name);
    if (entry == nullptr || files_[entry->file]->path().filename() != shard) {
      return corrupt_index(path_, fmt::format("weight_map says that {} holds tensor {}, which is not so",
                                              json_excerpt(shard), json_excerpt(name)));
    }
  }
  return {};
}

const TensorEntry* TensorArchive::find(std::string_view name) const {
  const auto at =
      std::lower_bound(entries_.begin(), entries_.end(), name,
                       [](const TensorEntry& entry, std::string_view key) { return entry.name < key; });
  return at != entries_.end() && at->name == name ? &*at : nullptr;
}

Result<Tensor> TensorArchive::tensor(std::string_view name) const {
  const TensorEntry* entry = find(name);
  if (entry == nullptr) {
    return make_error(ErrorCode::not_found, fmt::format("{} has no tensor {}", path_.string(), name),
                      "the weights may belong to another model than the config");
  }
  if (!entry->dtype || entry->shape.size() > Shape::kMaxRank) {
    return make_error(
        ErrorCode::unsupported,
        fmt::format(
            "tensor {} of {} is {}, expected at most {} dimensions of a dtype that Quern computes with", name,
            path_.string(), entry->describe(), Shape::kMaxRank));
  }
  const std::shared_ptr<const MappedFile>& file = files_[entry->file];
  const auto size = static_cast<int64_t>(entry->bytes());
  // Tensors have mutable bytes by type; those of a mapping are read-only by contract.
  auto* data = const_cast<std::byte*>(file->bytes().data()) + entry->begin;
  const Tensor mapped(Storage::borrow(data, size, file), 0, Shape(entry->shape), *entry->dtype);
  const bool aligned =
      reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(size_of(*entry->dtype)) == 0;
  return aligned ? mapped : mapped.clone();
}

}  // namespace quern::formats
