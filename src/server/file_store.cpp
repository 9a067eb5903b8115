#include "server/file_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "server/api_format.h"

namespace quern::server {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Error unknown(const std::string& id) {
  return make_error(ErrorCode::not_found, fmt::format("there is no file {}", json_excerpt(id)));
}

Json record_of(const StoredFile& file) {
  return {{"id", file.id},           {"owner", file.owner}, {"filename", file.filename},
          {"purpose", file.purpose}, {"bytes", file.bytes}, {"created", file.created}};
}

Result<StoredFile> read_record(const fs::path& path) {
  QUERN_TRY(const nlohmann::json record, read_json_file(path));
  StoredFile file;
  const std::string source = path.string();
  QUERN_TRY(file.id, json_get<std::string>(record, "id", source));
  QUERN_TRY(file.owner, json_get<std::string>(record, "owner", source));
  QUERN_TRY(file.filename, json_get<std::string>(record, "filename", source));
  QUERN_TRY(file.purpose, json_get<std::string>(record, "purpose", source));
  QUERN_TRY(file.bytes, json_get<int64_t>(record, "bytes", source));
  QUERN_TRY(file.created, json_get<int64_t>(record, "created", source));
  return file;
}

}  // namespace

Result<std::unique_ptr<FileStore>> FileStore::open(fs::path folder, const Limits& limits) {
  QUERN_CHECK(make_directories(folder));
  std::unique_ptr<FileStore> store(new FileStore(std::move(folder), limits));
  QUERN_CHECK(store->load());
  return store;
}

Result<void> FileStore::load() {
  std::error_code failed;
  std::vector<fs::path> contents;
  for (const auto& entry : fs::directory_iterator(folder_, failed)) {
    const fs::path& path = entry.path();
    if (path.extension() == ".data") contents.push_back(path);
    if (path.extension() != ".json") continue;
    Result<StoredFile> file = read_record(path);
    if (!file.ok() || file->id != path.stem() || !fs::exists(data(file->id))) {
      log::warn("server", "left out {}, which is no record of a file", path.string());
      continue;
    }
    files_[file->id] = *std::move(file);
  }
  if (failed) return file_error("read", folder_, failed.value());
  for (const fs::path& path : contents) {
    if (!files_.contains(path.stem().string())) fs::remove(path, failed);
  }
  return {};
}

Result<void> FileStore::check_room(const StoredFile& file) const {
  size_t owned = 0;
  auto bytes = static_cast<uint64_t>(file.bytes);
  for (const auto& [id, other] : files_) {
    owned += other.owner == file.owner ? 1 : 0;
    bytes += static_cast<uint64_t>(other.bytes);
  }
  if (owned >= limits_.files_per_owner) {
    return make_error(ErrorCode::unavailable, fmt::format("there are {} files already", owned),
                      "delete some");
  }
  if (bytes > limits_.bytes) {
    return make_error(ErrorCode::unavailable,
                      fmt::format("files would take {} bytes, of {}", bytes, limits_.bytes), "delete some");
  }
  return {};
}

Result<StoredFile> FileStore::add(StoredFile file, std::string_view content) {
  file.id = new_id("file-");
  file.bytes = static_cast<int64_t>(content.size());
  {
    const std::lock_guard lock(mutex_);
    QUERN_CHECK(check_room(file));
  }
  QUERN_CHECK(write_file_atomic(data(file.id), content));
  return keep(std::move(file));
}

Result<StoredFile> FileStore::adopt(StoredFile file, const fs::path& content) {
  std::error_code failed;
  file.id = new_id("file-");
  file.bytes = static_cast<int64_t>(fs::file_size(content, failed));
  if (failed) return file_error("read", content, failed.value());
  QUERN_CHECK(rename_durably(content, data(file.id)));
  return keep(std::move(file));
}

// The content is there already.
Result<StoredFile> FileStore::keep(StoredFile file) {
  file.created = unix_seconds();
  QUERN_CHECK(write_file_atomic(record(file.id), to_bytes(record_of(file))));
  const std::lock_guard lock(mutex_);
  files_[file.id] = file;
  return file;
}

std::optional<StoredFile> FileStore::find(const std::string& id, const std::string& owner) const {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end() || found->second.owner != owner) return std::nullopt;
  return found->second;
}

std::vector<StoredFile> FileStore::list(const std::string& owner) const {
  std::vector<StoredFile> list;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, file] : files_) {
      if (file.owner == owner) list.push_back(file);
    }
  }
  std::ranges::stable_sort(list, std::greater<>(), &StoredFile::created);
  return list;
}

Result<std::string> FileStore::content(const std::string& id, const std::string& owner) const {
  if (!find(id, owner)) return unknown(id);
  return read_file(data(id));
}

Result<void> FileStore::remove(const std::string& id, const std::string& owner) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end() || found->second.owner != owner) return unknown(id);
  std::error_code ignored;
  fs::remove(record(id), ignored);
  fs::remove(data(id), ignored);
  files_.erase(found);
  return {};
}

}  // namespace quern::server
