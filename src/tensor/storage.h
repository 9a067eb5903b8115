// The bytes behind tensors: owned (from the pool), memory-mapped, or borrowed from somebody who outlives them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace quern {

// Bytes that tensors share. Immutable identity, mutable contents; thread-safe to share, not to write concurrently.
class Storage {
 public:
  // `size` bytes aligned to 64, contents undefined. Throws Exception(out_of_memory).
  static std::shared_ptr<Storage> allocate(int64_t size);
  // Bytes kept alive by `owner` (a mapped file, say); `owner` may be null when the caller outlives the storage.
  static std::shared_ptr<Storage> borrow(void* data, int64_t size, std::shared_ptr<const void> owner);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::byte* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  Storage(std::byte* data, int64_t size, bool pooled, std::shared_ptr<const void> owner)
      : data_(data), size_(size), pooled_(pooled), owner_(std::move(owner)) {}
  std::byte* data_;
  int64_t size_;
  bool pooled_;
  std::shared_ptr<const void> owner_;
};

// What owned storages hold. `live` counts bytes in use, `peak` its maximum since the last reset, `cached` bytes kept
// for reuse: training asks for the same sizes every step, and fresh pages would be zeroed by the kernel each time.
struct MemoryStats {
  int64_t live = 0;
  int64_t peak = 0;
  int64_t cached = 0;
};
MemoryStats memory_stats();
void reset_peak_memory();
// Gives cached bytes back to the operating system.
void trim_memory();

}  // namespace quern
