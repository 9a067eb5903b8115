#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/descriptor.h"

namespace quern {

namespace fs = std::filesystem;

namespace {

constexpr size_t kBufferBytes = size_t{256} << 10;
// One write(2) moves at most 0x7ffff000 bytes; stay below.
constexpr size_t kLargestWrite = size_t{1} << 30;

// Repeats a system call that a signal interrupted.
template <class Call>
auto uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// Owns a descriptor.
Descriptor open_descriptor(const fs::path& path, int flags, mode_t mode = 0) {
  return Descriptor(uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); }));
}

Result<void> write_all(int fd, std::span<const std::byte> bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const size_t chunk = std::min(bytes.size(), kLargestWrite);
    const ssize_t written = uninterrupted([&] { return ::write(fd, bytes.data(), chunk); });
    if (written < 0) return file_error("write", path, errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

// Makes a rename in `folder` durable. Some file systems cannot sync a folder (EINVAL): there, the rename is
// all we get.
Result<void> sync_folder(const fs::path& folder) {
  const Descriptor fd = open_descriptor(folder, O_RDONLY | O_DIRECTORY);
  if (fd.get() < 0) return file_error("open folder", folder, errno);
  if (uninterrupted([&] { return ::fsync(fd.get()); }) != 0 && errno != EINVAL && errno != ENOTSUP) {
    return file_error("sync folder", folder, errno);
  }
  return {};
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// Opens and locks a file that whoever held the lock before removes or renames; a negative result when it is locked by
// someone who lives. Between open and lock it may have been renamed or removed: then try again.
Result<int> open_locked(const fs::path& path, int flags) {
  for (;;) {
    Descriptor fd = open_descriptor(path, flags | O_CREAT | O_NOFOLLOW, 0666);
    if (fd.get() < 0) return file_error("create", path, errno);
    // File systems without locks: go on without one.
    if (uninterrupted([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0 && errno == EWOULDBLOCK)
      return -1;
    struct stat ours {
    }, current{};
    if (::fstat(fd.get(), &ours) != 0) return file_error("examine", path, errno);
    const bool same = ::stat(path.c_str(), &current) == 0 && ours.st_ino == current.st_ino;
    if (same) return fd.release();
  }
}

// The lock on a temporary file says that its writer lives; an unlocked one was left behind and is reused.
Result<int> open_temporary(const fs::path& temporary, const fs::path& target) {
  QUERN_TRY(const int fd, open_locked(temporary, O_WRONLY));
  if (fd < 0) {
    return make_error(ErrorCode::unavailable,
                      fmt::format("{} is being written by someone else", target.string()),
                      "wait for the other writer, or choose another output");
  }
  if (::ftruncate(fd, 0) == 0) return fd;
  const int reason = errno;
  ::close(fd);
  return file_error("truncate", temporary, reason);
}

}  // namespace

Error file_error(std::string_view action, const fs::path& path, int error_number) {
  ErrorCode code = ErrorCode::io;
  std::string hint;
  switch (error_number) {
    case ENOENT:
      code = ErrorCode::not_found;
      hint = path.is_absolute() ? "check the path" : "check the path; it is relative to the current folder";
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = ErrorCode::permission;
      hint = "check who owns it and its permissions, or choose another place";
      break;
    case EISDIR:
      code = ErrorCode::invalid_argument;
      hint = "a file is expected here, not a folder";
      break;
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
      code = ErrorCode::invalid_argument;
      break;
    case ENOMEM:
      code = ErrorCode::out_of_memory;
      break;
    case ENOSPC:
    case EDQUOT:
      hint = "free some space or write to another disk; the previous file, if any, is untouched";
      break;
    case EFBIG:
      hint = "the file-size limit of this process or disk is reached (see `ulimit -f`)";
      break;
    case EMFILE:
    case ENFILE:
      hint = "too many open files (see `ulimit -n`)";
      break;
    default:
      break;
  }
  return make_error(code, fmt::format("cannot {} {}: {}", action, path.string(), std::strerror(error_number)),
                    hint);
}

Result<std::string> read_file(const fs::path& path, uint64_t limit) {
  const Descriptor fd = open_descriptor(path, O_RDONLY);
  if (fd.get() < 0) return file_error("open", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return file_error("examine", path, errno);
  if (S_ISDIR(info.st_mode)) return file_error("read", path, EISDIR);

  std::string content;
  const uint64_t expected = S_ISREG(info.st_mode) ? static_cast<uint64_t>(info.st_size) : 0;
  // One byte more than expected, so that the read that fills the buffer is also the one that sees the end.
  content.resize(static_cast<size_t>(std::min(expected, limit)) + 1);
  size_t filled = 0;
  for (;;) {
    const ssize_t got = uninterrupted([&] {
      return ::read(fd.get(), content.data() + filled, std::min(content.size() - filled, kLargestWrite));
    });
    if (got < 0) return file_error("read", path, errno);
    if (got == 0) break;
    filled += static_cast<size_t>(got);
    if (filled > limit) {
      return make_error(
          ErrorCode::invalid_argument,
          fmt::format("{} has more than {} bytes, the limit for this kind of file", path.string(), limit),
          "check that this is the file you meant");
    }
    if (filled == content.size()) content.resize(std::max<size_t>(content.size() * 2, kBufferBytes));
  }
  content.resize(filled);
  return content;
}

Result<void> make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return file_error("create folder", path, error.value());
  return {};
}

Result<MappedFile> MappedFile::open(const fs::path& path, AccessHint hint) {
  const Descriptor fd = open_descriptor(path, O_RDONLY);
  if (fd.get() < 0) return file_error("open", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return file_error("examine", path, errno);
  if (S_ISDIR(info.st_mode)) return file_error("map", path, EISDIR);
  if (!S_ISREG(info.st_mode)) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("cannot map {}: not a regular file", path.string()),
                      "pipes and devices must be copied to a file first");
  }
  MappedFile file;
  file.path_ = path;
  file.size_ = static_cast<size_t>(info.st_size);
  if (file.size_ == 0) return file;  // mmap refuses empty ranges
  void* data = ::mmap(nullptr, file.size_, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) {
    file.size_ = 0;
    return file_error("map", path, errno);
  }
  file.data_ = static_cast<const std::byte*>(data);
  if (hint == AccessHint::sequential) ::madvise(data, file.size_, MADV_SEQUENTIAL);
  if (hint == AccessHint::random) ::madvise(data, file.size_, MADV_RANDOM);
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      path_(std::move(other.path_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(path_, other.path_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

namespace {
// The whole pages of a mapping that [offset, offset + length) touches; nothing when the range lies outside.
void advise(const std::byte* data, size_t size, size_t offset, size_t length, int advice) {
  if (offset >= size) return;
  length = std::min(length, size - offset);
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t begin = offset / page * page;
  ::madvise(const_cast<std::byte*>(data) + begin, offset + length - begin, advice);
}
}  // namespace

void MappedFile::will_need(size_t offset, size_t length) const {
  advise(data_, size_, offset, length, MADV_WILLNEED);
}

void MappedFile::done_with(size_t offset, size_t length) const {
  advise(data_, size_, offset, length, MADV_DONTNEED);
}

AtomicFile::AtomicFile(int fd, fs::path target, fs::path temporary)
    : fd_(fd), target_(std::move(target)), temporary_(std::move(temporary)) {
  buffer_.reserve(kBufferBytes);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      target_(std::move(other.target_)),
      temporary_(std::move(other.temporary_)),
      buffer_(std::move(other.buffer_)),
      position_(other.position_) {}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  if (!temporary_.empty()) ::unlink(temporary_.c_str());  // before the lock goes with the descriptor
  ::close(fd_);
}

Result<AtomicFile> AtomicFile::create(const fs::path& path) {
  fs::path target = path;
  std::error_code ignored;
  if (fs::is_symlink(path, ignored)) {
    // Write through a link to a file; links to pipes (/dev/stdout) have no path and are opened as they stand.
    const fs::path resolved = fs::weakly_canonical(path, ignored);
    if (!ignored && !fs::is_other(path, ignored)) target = resolved;
  }
  struct stat info {};
  const bool exists = ::stat(target.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) return file_error("write", target, EISDIR);
  if (!target.has_filename()) return file_error("write", target, EISDIR);
  if (exists && !S_ISREG(info.st_mode)) {
    Descriptor fd = open_descriptor(target, O_WRONLY);
    if (fd.get() < 0) return file_error("open", target, errno);
    return AtomicFile(fd.release(), std::move(target), {});
  }
  fs::path temporary = folder_of(target) / fmt::format(".{}.tmp", target.filename().string());
  QUERN_TRY(const int fd, open_temporary(temporary, target));
  if (exists) (void)::fchmod(fd, info.st_mode & 07777);  // a private file stays private
  return AtomicFile(fd, std::move(target), std::move(temporary));
}

Result<void> AtomicFile::write(std::span<const std::byte> bytes) {
  position_ += bytes.size();
  if (buffer_.size() + bytes.size() <= kBufferBytes) {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    return {};
  }
  QUERN_CHECK(flush());
  if (bytes.size() >= kBufferBytes) return write_all(fd_, bytes, target_);
  buffer_.assign(bytes.begin(), bytes.end());
  return {};
}

Result<void> AtomicFile::flush() {
  QUERN_CHECK(write_all(fd_, buffer_, target_));
  buffer_.clear();
  return {};
}

Result<void> AtomicFile::commit() {
  QUERN_CHECK(flush());
  if (!temporary_.empty()) {
    if (uninterrupted([&] { return ::fsync(fd_); }) != 0) return file_error("sync", target_, errno);
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) return file_error("replace", target_, errno);
    temporary_.clear();
    QUERN_CHECK(sync_folder(folder_of(target_)));
  }
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) return file_error("close", target_, errno);
  return {};
}

Result<void> write_file_atomic(const fs::path& path, std::span<const std::byte> bytes) {
  QUERN_TRY(AtomicFile file, AtomicFile::create(path));
  QUERN_CHECK(file.write(bytes));
  return file.commit();
}

Result<void> write_file_atomic(const fs::path& path, std::string_view text) {
  return write_file_atomic(path, std::as_bytes(std::span(text)));
}

Result<FolderLock> FolderLock::acquire(const fs::path& folder) {
  QUERN_CHECK(make_directories(folder));
  fs::path file = folder / ".lock";
  QUERN_TRY(const int fd, open_locked(file, O_RDWR));
  if (fd < 0) {
    const Result<std::string> owner = read_file(file, 32);
    const bool known = owner.ok() && !owner->empty();
    return make_error(ErrorCode::unavailable,
                      fmt::format("{} is in use by {}", folder.string(),
                                  known ? "process " + *owner : std::string("another process")),
                      "wait until it is done or stop it, or choose another folder for the output");
  }
  FolderLock lock(fd, std::move(file));
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(fd, 0) != 0) return file_error("truncate", lock.file_, errno);
  QUERN_CHECK(write_all(fd, std::as_bytes(std::span(pid)), lock.file_));
  return lock;
}

FolderLock::FolderLock(FolderLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), file_(std::move(other.file_)) {}

FolderLock::~FolderLock() {
  if (fd_ < 0) return;
  ::unlink(file_.c_str());  // before the lock goes with the descriptor
  ::close(fd_);
}

Result<void> rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return file_error("rename to", to, errno);
  return sync_folder(folder_of(to));
}

}  // namespace quern
