// Responses that may be looked up and followed, in memory.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>

#include "base/lru_cache.h"
#include "server/caller.h"

namespace quern::server {

// Each belongs to whoever asked for it: to others it does not exist. When there are too many, those that were stored or
// followed longest ago are forgotten. Thread-safe.
class ResponseStore {
 public:
  explicit ResponseStore(size_t most_bytes = size_t{64} << 20) : stored_(most_bytes) {}

  struct Stored {
    std::string response;  // as it was sent
    std::string messages;  // the conversation with its answer, a JSON list
  };
  // `owner`: null where callers have no names. One that is too large for the store is not kept.
  void put(const std::string& id, const Caller* owner, Stored stored);
  std::optional<Stored> find(const std::string& id, const Caller* owner);
  // False where there is none.
  bool remove(const std::string& id, const Caller* owner);

 private:
  std::mutex mutex_;
  LruCache<std::string, Stored> stored_;  // by owner and id
};

}  // namespace quern::server
