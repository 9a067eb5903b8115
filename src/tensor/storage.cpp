#include "tensor/storage.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/exception.h"
#include "base/huge_pages.h"

namespace quern {

namespace {

constexpr int64_t kAlignment = 64;

// Free lists by exact rounded size. Sizes are rounded up so that nearly equal requests share a list at a cost of at
// most 1/8 of the bytes.
int64_t rounded(int64_t size) {
  if (size <= 512) return (size + 63) / 64 * 64 + (size == 0 ? 64 : 0);
  const int64_t step = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(size))) / 8;
  return (size + step - 1) / step * step;
}

// Blocks from this size on come from the system and go back to it: malloc would keep the holes they leave.
constexpr int64_t kMapped = int64_t{256} << 10;

std::byte* allocate_block(int64_t bytes) {
  if (bytes >= kMapped) return map_memory(bytes);
  return static_cast<std::byte*>(std::aligned_alloc(kAlignment, static_cast<size_t>(bytes)));
}

void free_block(std::byte* data, int64_t bytes) {
  if (bytes >= kMapped)
    unmap_memory(data, bytes);
  else
    std::free(data);
}

// What was given back is kept for a request of its size, as steps of one shape ask for the same again. Where shapes change,
// as the lengths of examples do, sizes that nobody asks for any more would pile up: beyond kept_at_most() in all, those
// that have been idle longest go before more is taken from the system.
class Pool {
 public:
  std::byte* take(int64_t size) {
    const int64_t bytes = rounded(size);
    std::vector<std::pair<std::byte*, int64_t>> idle;
    {
      const std::lock_guard lock(mutex_);
      stats_.live += bytes;
      stats_.peak = std::max(stats_.peak, stats_.live);
      most_live_ = std::max(most_live_, stats_.live);
      auto& list = free_[bytes];
      if (!list.empty()) {
        std::byte* data = list.back().data;
        list.pop_back();
        stats_.cached -= bytes;
        return data;
      }
      while (stats_.cached > 0 && stats_.live + stats_.cached > kept_at_most()) idle.push_back(take_idlest());
    }
    for (const auto& [data, length] : idle) free_block(data, length);
    std::byte* data = allocate_block(bytes);
    if (data == nullptr) {
      trim();
      data = allocate_block(bytes);
    }
    if (data == nullptr) {
      const std::lock_guard lock(mutex_);
      stats_.live -= bytes;
      throw Exception({ErrorCode::out_of_memory, "cannot allocate " + std::to_string(bytes) + " bytes",
                       "use a smaller batch or model, or activation checkpointing"});
    }
    return data;
  }

  void give(std::byte* data, int64_t size) {
    const int64_t bytes = rounded(size);
    const std::lock_guard lock(mutex_);
    stats_.live -= bytes;
    stats_.cached += bytes;
    free_[bytes].push_back({data, ++time_});
  }

  void trim() {
    const std::lock_guard lock(mutex_);
    for (auto& [bytes, list] : free_) {
      for (const Free& block : list) free_block(block.data, bytes);
      list.clear();
    }
    stats_.cached = 0;
  }

  MemoryStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    stats_.peak = stats_.live;
  }

 private:
  struct Free {
    std::byte* data;
    uint64_t since;  // time_ when it was given back
  };

  // In use and kept. Steps of one shape need some more than is ever in use at once, since sizes take turns.
  int64_t kept_at_most() const { return most_live_ + most_live_ / 4; }

  // Precondition: something is cached.
  std::pair<std::byte*, int64_t> take_idlest() {
    auto idlest = free_.end();
    for (auto at = free_.begin(); at != free_.end(); ++at) {
      if (at->second.empty()) continue;
      if (idlest == free_.end() || at->second.front().since < idlest->second.front().since) idlest = at;
    }
    std::byte* data = idlest->second.front().data;
    idlest->second.pop_front();
    stats_.cached -= idlest->first;
    return {data, idlest->first};
  }

  std::mutex mutex_;
  std::map<int64_t, std::deque<Free>> free_;  // by size, the idlest first
  uint64_t time_ = 0;
  int64_t most_live_ = 0;
  MemoryStats stats_;
};

// Leaked on purpose: storages held by statics may be released after any destructor order we could choose.
Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

}  // namespace

std::shared_ptr<Storage> Storage::allocate(int64_t size) {
  std::byte* data = pool().take(size);
  return std::shared_ptr<Storage>(new Storage(data, size, true, nullptr));
}

std::shared_ptr<Storage> Storage::borrow(void* data, int64_t size, std::shared_ptr<const void> owner) {
  return std::shared_ptr<Storage>(new Storage(static_cast<std::byte*>(data), size, false, std::move(owner)));
}

Storage::~Storage() {
  if (pooled_) pool().give(data_, size_);
}

MemoryStats memory_stats() { return pool().stats(); }
void reset_peak_memory() { pool().reset_peak(); }
void trim_memory() { pool().trim(); }

}  // namespace quern
