// Responses that may be looked up and followed, in memory.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "server/caller.h"

namespace quern::server {

// Each belongs to whoever asked for it: to others it does not exist. When there are too many, those that were stored or
// followed longest ago are forgotten. Thread-safe.
class ResponseStore {
 public:
  explicit ResponseStore(size_t most_bytes = size_t{64} << 20) : most_bytes_(most_bytes) {}

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
  struct Entry {
    std::string id, owner;
    Stored stored;
    size_t bytes() const;
  };
  using Entries = std::list<Entry>;

  Entries::iterator find_locked(const std::string& id, const Caller* owner);
  void remove_locked(Entries::iterator entry);

  const size_t most_bytes_;
  std::mutex mutex_;
  size_t bytes_ = 0;
  Entries entries_;  // the longest unused last
  std::unordered_map<std::string, Entries::iterator> by_id_;
};

}  // namespace quern::server
