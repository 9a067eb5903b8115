#include "store/part_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {
constexpr size_t kCopyBytes = size_t{1} << 20;
constexpr uint64_t kMaxNote = uint64_t{64} << 10;

// Nothing for a note that cannot be understood: then the part is of no use either.
std::optional<Validators> read_note(const fs::path& path) {
  const Result<nlohmann::json> note = read_json_file(path, kMaxNote);
  if (!note.ok()) return std::nullopt;
  const std::string source = path.string();
  const auto etag = json_get<std::string>(*note, "etag", source);
  const auto last_modified = json_get<std::string>(*note, "last_modified", source);
  const auto size = json_get<uint64_t>(*note, "size", source);
  if (!etag.ok() || !last_modified.ok() || !size.ok()) return std::nullopt;
  return Validators{*etag, *last_modified, *size};
}
}  // namespace

PartFile::PartFile(int fd, fs::path path) : fd_(fd), path_(std::move(path)) {}

PartFile::PartFile(PartFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      size_(other.size_),
      validators_(std::move(other.validators_)),
      hash_(std::move(other.hash_)) {}

PartFile::~PartFile() {
  if (fd_ >= 0) ::close(fd_);
}

fs::path PartFile::part_path() const { return path_.string() + ".part"; }
fs::path PartFile::note_path() const { return path_.string() + ".part.json"; }

Result<PartFile> PartFile::open(const fs::path& path) {
  PartFile file(-1, path);
  file.fd_ = ::open(file.part_path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file.fd_ < 0) return file_error("create", file.part_path(), errno);
  const std::optional<Validators> note = read_note(file.note_path());
  if (!note) {
    QUERN_CHECK(file.restart({}));
    return file;
  }
  file.validators_ = *note;
  QUERN_CHECK(file.hash_existing());
  return file;
}

Result<void> PartFile::hash_existing() {
  std::vector<std::byte> piece(kCopyBytes);
  for (;;) {
    if (InterruptGuard::requested()) return make_error(ErrorCode::cancelled, "interrupted");
    const ssize_t got = ::read(fd_, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("read", part_path(), errno);
    if (got == 0) return {};
    hash_.update(std::span(piece).first(static_cast<size_t>(got)));
    size_ += static_cast<uint64_t>(got);
  }
}

Result<void> PartFile::restart(const Validators& validators) {
  if (::ftruncate(fd_, 0) != 0) return file_error("truncate", part_path(), errno);
  if (::lseek(fd_, 0, SEEK_SET) != 0) return file_error("seek in", part_path(), errno);
  size_ = 0;
  hash_ = Sha256();
  validators_ = validators;
  const nlohmann::json note = {
      {"etag", validators.etag}, {"last_modified", validators.last_modified}, {"size", validators.size}};
  return write_file_atomic(note_path(), note.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
}

Result<void> PartFile::append(std::span<const std::byte> bytes) {
  hash_.update(bytes);
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("write", part_path(), errno);
    size_ += static_cast<uint64_t>(written);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Result<void> PartFile::commit() {
  if (::fsync(fd_) != 0) return file_error("sync", part_path(), errno);
  QUERN_CHECK(rename_durably(part_path(), path_));
  std::error_code ignored;
  fs::remove(note_path(), ignored);
  ::close(std::exchange(fd_, -1));
  return {};
}

void PartFile::discard() {
  std::error_code ignored;
  fs::remove(note_path(), ignored);
  fs::remove(part_path(), ignored);
  ::close(std::exchange(fd_, -1));
}

}  // namespace quern::store
