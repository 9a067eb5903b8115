// A file that arrives in pieces: PATH.part holds what is there, PATH.part.json says which version of the file
// it is, and PATH appears when it is whole and right. What is there outlives the process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "base/result.h"
#include "store/sha256.h"

namespace quern::store {

// How a server names one version of a file; empty or 0 where it does not.
struct Validators {
  std::string etag;
  std::string last_modified;
  uint64_t size = 0;
};

// The caller makes sure that nobody else writes the same path. Not thread-safe.
class PartFile {
 public:
  // Goes on with what an earlier attempt left, if it is known what that was.
  static Result<PartFile> open(const std::filesystem::path& path);
  PartFile(PartFile&& other) noexcept;
  PartFile& operator=(PartFile&&) = delete;
  ~PartFile();

  uint64_t size() const { return size_; }
  const Validators& validators() const { return validators_; }

  // Empties it, to hold another version of the file.
  Result<void> restart(const Validators& validators);
  Result<void> append(std::span<const std::byte> bytes);
  // SHA-256 of what is there.
  std::string sha256() const { return hash_.hex(); }
  // Gives it its name, durably. Nothing may be appended after it.
  Result<void> commit();
  // Removes it. Nothing may be appended after it.
  void discard();

 private:
  PartFile(int fd, std::filesystem::path path);
  std::filesystem::path part_path() const;
  std::filesystem::path note_path() const;
  Result<void> hash_existing();

  int fd_ = -1;
  std::filesystem::path path_;
  uint64_t size_ = 0;
  Validators validators_;
  Sha256 hash_;
};

}  // namespace quern::store
