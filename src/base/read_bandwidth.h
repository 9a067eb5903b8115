// How fast this machine reads memory: the limit of token generation, which reads every weight for every token.
#pragma once

#include <cstdint>
#include <memory>

namespace quern {

// A buffer to be read by all threads at once. Not thread-safe.
class ReadBandwidth {
 public:
  // Throws Exception(out_of_memory). Precondition: bytes > 0.
  explicit ReadBandwidth(int64_t bytes);

  // Bytes per second of one pass over the buffer. The median of some tells what to expect, the best what the
  // machine can.
  double measure();

 private:
  struct Free {
    void operator()(void* data) const;
  };
  int64_t pieces_;
  std::unique_ptr<void, Free> data_;
};

// So many bytes that a pass finds none of them in a cache: twice the last one, from 256 MiB to 1 GiB, and at most half of
// the available memory.
int64_t bytes_beyond_caches();

}  // namespace quern
