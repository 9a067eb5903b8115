// A record of who asked what: one line of JSON per entry, appended by a thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/result.h"

namespace quern::server {

struct AuditLogOptions {
  std::filesystem::path file = {};
  uint64_t rotate_bytes = uint64_t{100}
                          << 20;  // FILE becomes FILE.1, FILE.1 becomes FILE.2, ... before it grows beyond
  int keep = 5;                   // rotated files
  bool redact = false;            // contents of prompts and answers become their lengths
  size_t queue = 10'000;          // entries that wait to be written; those beyond are dropped and counted
};

// Thread-safe.
class AuditLog {
 public:
  // Opens or makes the file, which only its owner may read.
  static Result<std::unique_ptr<AuditLog>> open(AuditLogOptions options);
  // Writes what waits.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Adds "time" in front and queues the entry, an object; never waits for the disk.
  void write(const nlohmann::ordered_json& entry);
  // Waits until what was queued is written.
  void flush();
  // Entries lost because the queue was full or the disk failed.
  uint64_t dropped() const { return dropped_; }

 private:
  AuditLog(AuditLogOptions options, int fd, uint64_t size);
  void run();
  void write_line(const nlohmann::ordered_json& entry);
  Result<void> rotate();

  const AuditLogOptions options_;
  int fd_;  // the writer's, as is size_
  uint64_t size_;
  std::atomic<uint64_t> dropped_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<nlohmann::ordered_json> queue_;
  bool writing_ = false, stop_ = false;
  std::thread writer_;
};

// A copy in which every text below a key that holds contents (messages, prompt, input, output, content, text, arguments,
// ...) is its length: "[12 bytes]", and every list of tokens as well: "[3 tokens]".
nlohmann::ordered_json redacted(const nlohmann::ordered_json& value);

}  // namespace quern::server
