// The keys that callers must show, from a file that holds salted hashes of them and is read again when it changes:
//
//   keys:
//     - name: alice                    # what the audit log and the metrics call its owner
//       hash: sha256:SALT:DIGEST       # of salt and key, in hex; make_api_key() makes keys worth hashing this way
//       requests_per_minute: 60        # the rest may be left out: no limits, all models, priority 0, no administrator
//       tokens_per_day: 1000000
//       models: [smollm2]
//       priority: 1
//       admin: false
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "server/caller.h"

namespace quern::server {

struct ApiKey {
  Caller caller;
  std::string hash = {};  // "sha256:SALT:DIGEST"

  void fields(Fields& fields);
};

// invalid_argument names `source`, the entry and what is wrong with it; of two keys with one name as well.
Result<std::vector<ApiKey>> parse_api_keys(std::string_view text, std::string_view source);

// The text of a keys file with these entries.
std::string write_api_keys(std::span<const ApiKey> keys);

// A new key of 256 random bits and its hash, from which nobody can tell the key.
struct NewApiKey {
  std::string key;  // "qk-...": shown once to its owner
  std::string hash;
};
NewApiKey make_api_key();

// Thread-safe.
class ApiKeys {
 public:
  using Clock = std::chrono::steady_clock;

  static Result<std::unique_ptr<ApiKeys>> open(std::filesystem::path file);

  // Who owns this key, or null. Takes as long whichever key it is. Looks for a new file at most once a second; a file that
  // is no longer valid is logged and the keys stay as they were.
  std::shared_ptr<const Caller> find(std::string_view key, Clock::time_point now = Clock::now());

 private:
  struct Entry {
    std::shared_ptr<const Caller> caller;
    std::string salt, digest;  // bytes
  };
  struct Stamp {
    std::filesystem::file_time_type time;
    uintmax_t size = 0;
    bool operator==(const Stamp&) const = default;
  };
  explicit ApiKeys(std::filesystem::path file) : file_(std::move(file)) {}
  Result<void> load();
  void reload_if_changed(Clock::time_point now);

  const std::filesystem::path file_;
  std::mutex mutex_;
  std::shared_ptr<const std::vector<Entry>> entries_;
  Stamp stamp_;
  Clock::time_point looked_;
};

}  // namespace quern::server
