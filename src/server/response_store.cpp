#include "server/response_store.h"

#include <utility>

namespace quern::server {

namespace {

constexpr size_t kOverhead = 256;  // of an entry beside its texts

std::string key_of(const std::string& id, const Caller* owner) {
  std::string key = owner == nullptr ? std::string() : owner->name;
  return key.append(1, '\0').append(id);
}

}  // namespace

void ResponseStore::put(const std::string& id, const Caller* owner, Stored stored) {
  std::string key = key_of(id, owner);
  const size_t bytes = kOverhead + key.size() + stored.response.size() + stored.messages.size();
  const std::lock_guard lock(mutex_);
  stored_.put(std::move(key), std::move(stored), bytes);
}

std::optional<ResponseStore::Stored> ResponseStore::find(const std::string& id, const Caller* owner) {
  const std::lock_guard lock(mutex_);
  const Stored* const known = stored_.find(key_of(id, owner));
  return known == nullptr ? std::nullopt : std::optional(*known);
}

bool ResponseStore::remove(const std::string& id, const Caller* owner) {
  const std::lock_guard lock(mutex_);
  return stored_.erase(key_of(id, owner));
}

}  // namespace quern::server
