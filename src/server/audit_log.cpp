#include "server/audit_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

namespace quern::server {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::array<std::string_view, 16> kContents = {
    "messages",  "prompt", "input",        "output", "content",  "text",    "arguments", "choices",
    "documents", "query",  "instructions", "suffix", "response", "answers", "system",    "images"};

bool is_tokens(const Json& value) {
  return value.is_array() && !value.empty() && value[0].is_number_integer();
}

Result<int> open_file(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) return file_error("open", file, errno);
  return fd;
}

uint64_t size_of(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  return true;
}

Json redact(const Json& value, bool inside) {
  if (value.is_string() && inside)
    return fmt::format("[{} bytes]", value.get_ref<const std::string&>().size());
  if (inside && is_tokens(value)) return fmt::format("[{} tokens]", value.size());
  if (!value.is_structured()) return value;
  Json copy = value.is_array() ? Json::array() : Json::object();
  for (const auto& [key, item] : value.items()) {
    if (value.is_array()) {
      copy.push_back(redact(item, inside));
    } else {
      // The role of a message says nothing of what it holds.
      const bool contents = std::find(kContents.begin(), kContents.end(), key) != kContents.end();
      copy[key] = redact(item, contents || (inside && key != "role" && key != "type"));
    }
  }
  return copy;
}

}  // namespace

Json redacted(const Json& value) { return redact(value, false); }

Result<std::unique_ptr<AuditLog>> AuditLog::open(AuditLogOptions options) {
  QUERN_TRY(const int fd, open_file(options.file));
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(options), fd, size_of(fd)));
}

AuditLog::AuditLog(AuditLogOptions options, int fd, uint64_t size)
    : options_(std::move(options)), fd_(fd), size_(size), writer_([this] { run(); }) {}

AuditLog::~AuditLog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  writer_.join();
  ::close(fd_);
}

void AuditLog::write(const Json& entry) {
  Json timed = {{"time", iso_time()}};
  timed.update(options_.redact ? redacted(entry) : entry);
  const std::lock_guard lock(mutex_);
  if (queue_.size() >= options_.queue) {
    ++dropped_;
    return;
  }
  queue_.push_back(std::move(timed));
  changed_.notify_all();
}

void AuditLog::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return queue_.empty() && !writing_; });
}

void AuditLog::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stop_ || !queue_.empty(); });
    if (queue_.empty()) return;
    writing_ = true;
    const std::deque<Json> batch = std::exchange(queue_, {});
    lock.unlock();
    for (const Json& entry : batch) write_line(entry);
    lock.lock();
    writing_ = false;
    changed_.notify_all();
  }
}

void AuditLog::write_line(const Json& entry) {
  // What clients sent need not be UTF-8.
  const std::string line = entry.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  if (size_ > 0 && size_ + line.size() > options_.rotate_bytes) {
    if (const auto rotated = rotate(); !rotated.ok()) {
      log::error("audit", "goes on in the same file: {}", rotated.error().message);
    }
  }
  if (write_all(fd_, line)) {
    size_ += line.size();
  } else if (dropped_++ == 0) {
    log::error("audit", "entries are lost: {}", file_error("write", options_.file, errno).message);
  }
}

Result<void> AuditLog::rotate() {
  const auto numbered = [&](int number) {
    return number == 0 ? options_.file
                       : std::filesystem::path(fmt::format("{}.{}", options_.file.string(), number));
  };
  std::error_code error;
  for (int number = options_.keep - 1; number >= 0; --number) {
    if (!std::filesystem::exists(numbered(number), error)) continue;
    std::filesystem::rename(numbered(number), numbered(number + 1), error);
    if (error) return file_error("rename", numbered(number), error.value());
  }
  if (options_.keep == 0) std::filesystem::remove(options_.file, error);
  QUERN_TRY(const int fd, open_file(options_.file));
  ::close(std::exchange(fd_, fd));
  size_ = size_of(fd_);
  return {};
}

}  // namespace quern::server
