#include "store/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/units.h"
#include "store/safe_path.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;
// Quantised weights hardly shrink; f32 ones by less than half. Text shrinks more, but there is little of it.
constexpr uint64_t kMostGrowth = 20;
constexpr uint64_t kAlwaysAllowed = uint64_t{256} << 20;
constexpr int kNestedLevels = 1;

struct ReaderDeleter {
  void operator()(struct archive* reader) const { archive_read_free(reader); }
};
using ArchiveReader = std::unique_ptr<struct archive, ReaderDeleter>;

Error archive_error(const fs::path& path, struct archive* reader) {
  const char* reason = archive_error_string(reader);
  return make_error(ErrorCode::corrupt,
                    fmt::format("{}: not an archive that can be read: {}", path.filename().string(),
                                reason == nullptr ? "" : reason));
}

// What all levels of one unpacking share.
struct Unpacking {
  const fs::path& folder;
  const std::function<bool(std::string_view)>& wanted;
  const UnpackLimits& limits;
  uint64_t bytes = 0;
  uint64_t entries = 0;
  std::vector<std::string> files;

  // The entries of `path`, below `prefix` ("" or "sub/").
  Result<void> run(const fs::path& path, const std::string& prefix, int level);
  Result<void> take(struct archive* reader, const fs::path& path, const std::string& name);
  Result<void> nested(struct archive* reader, const fs::path& path, const std::string& name, int level);
  Result<void> check_limits(const fs::path& path) const;
};

Result<void> Unpacking::check_limits(const fs::path& path) const {
  if (bytes > limits.bytes || entries > limits.entries) {
    return make_error(ErrorCode::corrupt,
                      fmt::format("{}: unpacks to more than {} or {} entries, as no model does",
                                  path.filename().string(), human_bytes(limits.bytes), limits.entries));
  }
  return {};
}

// "./a//b/" as tar writes it becomes "a/b".
std::string plain_name(std::string name) {
  while (name.starts_with("./")) name.erase(0, 2);
  while (name.ends_with('/')) name.pop_back();
  return name == "." ? "" : name;
}

Result<void> Unpacking::run(const fs::path& path, const std::string& prefix, int level) {
  const ArchiveReader reader(archive_read_new());
  archive_read_support_filter_all(reader.get());
  archive_read_support_format_zip(reader.get());
  archive_read_support_format_tar(reader.get());
  if (archive_read_open_filename(reader.get(), path.c_str(), kBlockBytes) != ARCHIVE_OK)
    return archive_error(path, reader.get());
  for (;;) {
    if (InterruptGuard::requested()) return make_error(ErrorCode::cancelled, "interrupted");
    struct archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) return {};
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return archive_error(path, reader.get());
    ++entries;
    // Skipped entries cost time, not room: they count against a limit of their own.
    const auto passed = static_cast<uint64_t>(std::max<int64_t>(archive_filter_bytes(reader.get(), 0), 0));
    if (passed > limits.bytes) bytes = passed;
    QUERN_CHECK(check_limits(path));
    const char* raw = archive_entry_pathname_utf8(entry);
    if (raw == nullptr) raw = archive_entry_pathname(entry);
    const std::string name = plain_name(raw == nullptr ? "" : raw);
    if (name.empty()) continue;
    if (!is_safe_path(name)) {
      return make_error(ErrorCode::corrupt, fmt::format("{}: the entry '{}' would lead outside of the folder",
                                                        path.filename().string(), name));
    }
    const bool plain = archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr;
    if (!plain) continue;
    if (wanted(prefix + name)) {
      QUERN_CHECK(take(reader.get(), path, prefix + name));
      files.push_back(prefix + name);
    } else if (level < kNestedLevels && name.ends_with(".zip")) {
      QUERN_CHECK(nested(reader.get(), path, prefix + name, level));
    }
  }
}

Result<void> Unpacking::take(struct archive* reader, const fs::path& path, const std::string& name) {
  const fs::path target = folder / name;
  QUERN_CHECK(make_directories(target.parent_path()));
  const int fd = ::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0 && errno == EEXIST) {
    return make_error(ErrorCode::corrupt, fmt::format("{}: has '{}' twice", path.filename().string(), name));
  }
  if (fd < 0) return file_error("create", target, errno);
  const std::unique_ptr<const int, void (*)(const int*)> closer(&fd, [](const int* open) { ::close(*open); });
  std::vector<char> block(kBlockBytes);
  for (;;) {
    if (InterruptGuard::requested()) return make_error(ErrorCode::cancelled, "interrupted");
    const la_ssize_t got = archive_read_data(reader, block.data(), block.size());
    if (got < 0) return archive_error(path, reader).within(name);
    if (got == 0) break;
    bytes += static_cast<uint64_t>(got);
    QUERN_CHECK(check_limits(path));
    for (la_ssize_t done = 0; done < got;) {
      const ssize_t written = ::write(fd, block.data() + done, static_cast<size_t>(got - done));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return file_error("write", target, errno);
      done += written;
    }
  }
  if (::fsync(fd) != 0) return file_error("sync", target, errno);
  return {};
}

Result<void> Unpacking::nested(struct archive* reader, const fs::path& path, const std::string& name,
                               int level) {
  QUERN_CHECK(take(reader, path, name));
  const fs::path inner = folder / name;
  QUERN_CHECK(run(inner, name.substr(0, name.size() - 4) + "/", level + 1));
  std::error_code ignored;
  fs::remove(inner, ignored);
  return {};
}

}  // namespace

UnpackLimits limits_for(uint64_t archive_bytes) {
  UnpackLimits limits;
  limits.bytes = std::min(limits.bytes, archive_bytes) * kMostGrowth + kAlwaysAllowed;
  return limits;
}

bool is_archive(std::string_view file_name) {
  constexpr std::string_view kEndings[] = {".zip", ".whl",     ".tar",    ".tar.gz",
                                           ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"};
  return std::ranges::any_of(kEndings, [&](std::string_view ending) { return file_name.ends_with(ending); });
}

Result<std::vector<std::string>> unpack(const fs::path& archive, const fs::path& folder,
                                        const std::function<bool(std::string_view)>& wanted,
                                        const UnpackLimits& limits) {
  QUERN_CHECK(make_directories(folder));
  Unpacking unpacking{.folder = folder, .wanted = wanted, .limits = limits, .files = {}};
  QUERN_CHECK(unpacking.run(archive, "", 0));
  return std::move(unpacking.files);
}

}  // namespace quern::store
