// Files: whole reads with a limit, read-only mappings, and writes that replace a file only when they are
// complete. Every error names the path, the operation and the system's reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern {

// The Error for a failed system call: "cannot <action> <path>: <reason>", its class from `error_number`
// (not_found, permission, out_of_memory, io, ...), with a hint where one helps, such as for a full disk.
Error file_error(std::string_view action, const std::filesystem::path& path, int error_number);

inline constexpr uint64_t kDefaultReadLimit = uint64_t{1} << 30;

// The whole content. Also reads pipes and devices. invalid_argument when there are more than `limit` bytes.
Result<std::string> read_file(const std::filesystem::path& path, uint64_t limit = kDefaultReadLimit);

// mkdir -p; no error when it exists.
Result<void> make_directories(const std::filesystem::path& path);

enum class AccessHint { normal, sequential, random };

// A regular file mapped read-only. Movable; the bytes stay where they are until it is destroyed, also when
// the file is replaced meanwhile (but a file truncated in place ends the process: never truncate what is
// mapped). Reading is thread-safe.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::filesystem::path& path, AccessHint hint = AccessHint::normal);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  size_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }

  // Hints to the kernel about [offset, offset + length), clamped to the file: read it ahead, or drop it from
  // memory.
  void will_need(size_t offset, size_t length) const;
  void done_with(size_t offset, size_t length) const;

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::filesystem::path path_;
};

// A file being written: the bytes go to ".<name>.tmp" beside the target and take its place on commit(), after
// fsync, so that readers see the old content or the new, and never a part, whatever happens. Without commit()
// the target is untouched and the temporary file is removed; one left by a killed process is taken over by
// the next writer. Two writers at once: the second gets `unavailable`. Devices and pipes are written directly.
// Not thread-safe.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::filesystem::path& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Result<void> write(std::span<const std::byte> bytes);
  Result<void> write(std::string_view text) { return write(std::as_bytes(std::span(text))); }
  // Bytes written so far.
  uint64_t position() const { return position_; }
  // Makes the new content durable and visible. Nothing may be written after it.
  Result<void> commit();

 private:
  AtomicFile(int fd, std::filesystem::path target, std::filesystem::path temporary);
  Result<void> flush();

  int fd_ = -1;
  std::filesystem::path target_;
  std::filesystem::path temporary_;  // empty: the target is a device or pipe, written directly
  std::vector<std::byte> buffer_;
  uint64_t position_ = 0;
};

Result<void> write_file_atomic(const std::filesystem::path& path, std::span<const std::byte> bytes);
Result<void> write_file_atomic(const std::filesystem::path& path, std::string_view text);

// Keeps a folder to one process at a time: locks FOLDER/.lock, which holds the pid of its owner. The lock ends with the
// process, however it ends; file systems without locks give none. Movable; not thread-safe.
class FolderLock {
 public:
  // Makes the folder when it is missing. `unavailable` names the process that works there.
  static Result<FolderLock> acquire(const std::filesystem::path& folder);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  FolderLock(int fd, std::filesystem::path file) : fd_(fd), file_(std::move(file)) {}
  int fd_ = -1;
  std::filesystem::path file_;
};

// Renames a file, or a folder onto a name nothing has, on one file system; on return the new name is on disk.
Result<void> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace quern
