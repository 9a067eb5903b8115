#include "tensor/storage.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
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

std::byte* allocate_block(int64_t bytes) {
  const auto alignment = static_cast<size_t>(huge_page_alignment(bytes, kAlignment));
  const size_t padded = (static_cast<size_t>(bytes) + alignment - 1) / alignment * alignment;
  void* data = std::aligned_alloc(alignment, padded);
  if (data != nullptr) advise_huge_pages(data, bytes);
  return static_cast<std::byte*>(data);
}

class Pool {
 public:
  std::byte* take(int64_t size) {
    const int64_t bytes = rounded(size);
    {
      const std::lock_guard lock(mutex_);
      stats_.live += bytes;
      stats_.peak = std::max(stats_.peak, stats_.live);
      auto& list = free_[bytes];
      if (!list.empty()) {
        std::byte* data = list.back();
        list.pop_back();
        stats_.cached -= bytes;
        return data;
      }
    }
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
    free_[bytes].push_back(data);
  }

  void trim() {
    const std::lock_guard lock(mutex_);
    for (auto& [bytes, list] : free_) {
      for (std::byte* data : list) std::free(data);
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
  std::mutex mutex_;
  std::map<int64_t, std::vector<std::byte*>> free_;
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
