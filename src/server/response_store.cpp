#include "server/response_store.h"

#include <utility>

namespace quern::server {

namespace {
constexpr size_t kOverhead = 256;  // of an entry beside its texts
}  // namespace

size_t ResponseStore::Entry::bytes() const {
  return kOverhead + owner.size() + stored.response.size() + stored.messages.size();
}

void ResponseStore::put(const std::string& id, const Caller* owner, Stored stored) {
  Entry entry{id, owner == nullptr ? std::string() : owner->name, std::move(stored)};
  const std::lock_guard lock(mutex_);
  if (entry.bytes() > most_bytes_) return;
  bytes_ += entry.bytes();
  entries_.push_front(std::move(entry));
  by_id_[id] = entries_.begin();
  while (bytes_ > most_bytes_) remove_locked(std::prev(entries_.end()));
}

std::optional<ResponseStore::Stored> ResponseStore::find(const std::string& id, const Caller* owner) {
  const std::lock_guard lock(mutex_);
  const auto entry = find_locked(id, owner);
  if (entry == entries_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->stored;
}

bool ResponseStore::remove(const std::string& id, const Caller* owner) {
  const std::lock_guard lock(mutex_);
  const auto entry = find_locked(id, owner);
  if (entry == entries_.end()) return false;
  remove_locked(entry);
  return true;
}

ResponseStore::Entries::iterator ResponseStore::find_locked(const std::string& id, const Caller* owner) {
  const auto found = by_id_.find(id);
  const std::string_view name = owner == nullptr ? std::string_view() : std::string_view(owner->name);
  return found == by_id_.end() || found->second->owner != name ? entries_.end() : found->second;
}

void ResponseStore::remove_locked(Entries::iterator entry) {
  bytes_ -= entry->bytes();
  by_id_.erase(entry->id);
  entries_.erase(entry);
}

}  // namespace quern::server
