#include "store/staging.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/file.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {
constexpr const char* kNote = "source";
constexpr uint64_t kMaxSource = uint64_t{64} << 10;
}  // namespace

Staging::Staging(Staging&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

Staging::~Staging() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Staging> Staging::open(const fs::path& folder, std::string_view source) {
  for (;;) {
    QUERN_CHECK(make_directories(folder));
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) continue;  // finished and removed by its owner meanwhile
    if (fd < 0) return file_error("open folder", folder, errno);
    Staging staging(fd, folder);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      return make_error(ErrorCode::conflict, fmt::format("{} is being pulled by another process", source),
                        "wait until it is done");
    }
    // File systems without locks: go on without one.
    struct stat ours {
    }, current{};
    if (::fstat(fd, &ours) != 0) return file_error("examine", folder, errno);
    if (::stat(folder.c_str(), &current) != 0 || ours.st_ino != current.st_ino) continue;
    QUERN_CHECK(write_file_atomic(folder / kNote, source));
    std::error_code ignored;
    fs::remove_all(staging.unpacked(), ignored);
    fs::remove_all(staging.model(), ignored);
    for (const fs::path& needed : {staging.downloads(), staging.unpacked(), staging.model()})
      QUERN_CHECK(make_directories(needed));
    return staging;
  }
}

void Staging::discard() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  ::close(std::exchange(fd_, -1));
}

UnfinishedPull describe_unfinished(const fs::path& folder) {
  UnfinishedPull pull{.source = {}, .path = folder};
  if (const Result<std::string> source = read_file(folder / kNote, kMaxSource); source.ok())
    pull.source = *source;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (const uint64_t size = it->is_regular_file(gone) ? it->file_size(gone) : 0; !gone) pull.bytes += size;
  }
  return pull;
}

}  // namespace quern::store
