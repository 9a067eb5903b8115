// Answers to requests that would be answered alike again: those at temperature 0 or with a seed, vectors and scores.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/lru_cache.h"
#include "server/http_server.h"

namespace quern::server {

struct CachedAnswer {
  HttpResponse response;
  bool streamed = false;  // begun and written, not sent as a whole
};

// What was asked for longest ago is forgotten first. Thread-safe.
class ResponseCache {
 public:
  // `bytes`: of all keys and answers together.
  explicit ResponseCache(uint64_t bytes) : most_bytes_(bytes), answers_(bytes) {}

  // Null when it is not there. Counts a hit or a miss.
  std::shared_ptr<const CachedAnswer> find(const std::string& key);
  // Nothing happens to an answer that is larger than most_bytes_of_one(), or was asked for before the last forget():
  // `epoch` is what it was then.
  void add(const std::string& key, CachedAnswer answer, uint64_t epoch);
  // Forgets everything: models do not answer as they did.
  void forget();
  uint64_t epoch() const;
  uint64_t most_bytes_of_one() const { return most_bytes_ / 8; }

  struct Stats {
    int64_t hits = 0, misses = 0, answers = 0, bytes = 0;
  };
  Stats stats() const;

 private:
  const uint64_t most_bytes_;
  mutable std::mutex mutex_;
  LruCache<std::string, std::shared_ptr<const CachedAnswer>> answers_;
  uint64_t epoch_ = 0;  // times it forgot
  int64_t hits_ = 0, misses_ = 0;
};

// What a request has in common with all that are answered alike: route, caller and document, whatever the order of its keys.
// Nothing for those that may be answered in another way the next time.
std::optional<std::string> response_cache_key(const HttpRequest& request);

// Answers from `cache`, which must outlive the handler, what it knows, and lets it learn the rest of `next`. Says which in
// "x-quern-cache: hit" or "miss". Callers do not share answers.
HttpServer::Handler with_response_cache(ResponseCache& cache, HttpServer::Handler next);

}  // namespace quern::server
