// Files that clients upload, and those that batches give them, in a folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern::server {

struct StoredFile {
  std::string id;
  std::string owner = {};     // name of the caller; empty where callers have none
  std::string filename = {};  // as the client called it
  std::string purpose = {};   // "batch", "batch_output"
  int64_t bytes = 0;
  int64_t created = 0;  // seconds since 1970
};

// <folder>/<id>.data beside <id>.json. A file belongs to whoever brought it: to others it does not exist. Thread-safe; one
// process at a time.
class FileStore {
 public:
  struct Limits {
    size_t files_per_owner = 1000;
    uint64_t bytes = uint64_t{8} << 30;  // of all
  };
  // What lies there from before is there again; halves of files are removed. Errors of the file system.
  static Result<std::unique_ptr<FileStore>> open(std::filesystem::path folder, const Limits& limits);

  // unavailable where a limit is reached; errors of the file system.
  Result<StoredFile> add(StoredFile file, std::string_view content);
  // The same with the content of a file on the same file system, which goes away from there. No limit keeps results out.
  Result<StoredFile> adopt(StoredFile file, const std::filesystem::path& content);

  std::optional<StoredFile> find(const std::string& id, const std::string& owner) const;
  std::vector<StoredFile> list(const std::string& owner) const;  // the newest first
  // not_found, naming the file.
  Result<std::string> content(const std::string& id, const std::string& owner) const;
  Result<void> remove(const std::string& id, const std::string& owner);

 private:
  FileStore(std::filesystem::path folder, const Limits& limits)
      : folder_(std::move(folder)), limits_(limits) {}
  Result<void> load();
  Result<void> check_room(const StoredFile& file) const;
  Result<StoredFile> keep(StoredFile file);
  std::filesystem::path data(const std::string& id) const { return folder_ / (id + ".data"); }
  std::filesystem::path record(const std::string& id) const { return folder_ / (id + ".json"); }

  const std::filesystem::path folder_;
  const Limits limits_;
  mutable std::mutex mutex_;
  std::map<std::string, StoredFile> files_;
};

}  // namespace quern::server
