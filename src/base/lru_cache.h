// What was used last, within a budget.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <unordered_map>
#include <utility>

namespace quern {

// When the budget is spent, those entries go that were found or put the longest ago. Not thread-safe.
template <class Key, class Value, class Hash = std::hash<Key>>
class LruCache {
 public:
  // `most`: of the sizes of all entries together.
  explicit LruCache(size_t most) : most_(most) {}

  // Null where there is none; valid until the next put() or erase().
  Value* find(const Key& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second.place);
    return &found->second.value;
  }

  // In place of what the key had. What is larger than the budget is not kept.
  void put(Key key, Value value, size_t size = 1) {
    erase(key);
    if (size > most_) return;
    const auto entry = entries_.try_emplace(std::move(key), Entry{std::move(value), size, {}}).first;
    order_.push_front(&entry->first);
    entry->second.place = order_.begin();
    size_ += size;
    while (size_ > most_) erase(*order_.back());
  }

  // False where there was none.
  bool erase(const Key& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return false;
    size_ -= found->second.size;
    order_.erase(found->second.place);
    entries_.erase(found);
    return true;
  }

  void clear() {
    order_.clear();
    entries_.clear();
    size_ = 0;
  }

  size_t count() const { return entries_.size(); }
  size_t size() const { return size_; }

 private:
  using Order = std::list<const Key*>;
  struct Entry {
    Value value;
    size_t size;
    typename Order::iterator place;
  };

  size_t most_;
  size_t size_ = 0;
  std::unordered_map<Key, Entry, Hash> entries_;
  Order order_;  // the last used first
};

}  // namespace quern
