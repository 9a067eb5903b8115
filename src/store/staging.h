// The place of one pull on its way into the store. It outlives the process, so that the next pull of the same
// source goes on with what is there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace quern::store {

struct UnfinishedPull {
  std::string source;
  std::filesystem::path path;
  uint64_t bytes = 0;
};

// Locked while it lives. Movable.
class Staging {
 public:
  // Opens or makes `folder`, whose pull is from `source`. conflict when another process has it.
  static Result<Staging> open(const std::filesystem::path& folder, std::string_view source);
  Staging(Staging&& other) noexcept;
  Staging& operator=(Staging&&) = delete;
  ~Staging();

  const std::filesystem::path& path() const { return path_; }
  // What arrives, whole or in part: kept for the next attempt.
  std::filesystem::path downloads() const { return path_ / "downloads"; }
  // Unpacked archives: begun anew by each attempt.
  std::filesystem::path unpacked() const { return path_ / "unpacked"; }
  // The model as it will be in the store: begun anew by each attempt.
  std::filesystem::path model() const { return path_ / "model"; }

  // Removes it with everything in it.
  void discard();

 private:
  Staging(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}

  int fd_ = -1;
  std::filesystem::path path_;
};

// Reads what Staging::open noted; nothing when `folder` is none.
UnfinishedPull describe_unfinished(const std::filesystem::path& folder);

}  // namespace quern::store
