#include "backend/cpu/scratch.h"

#include <cstddef>
#include <new>

namespace quern::backend::cpu {

namespace {
constexpr std::align_val_t kPage{4096};

struct Buffer {
  void* data = nullptr;
  int64_t bytes = 0;
  ~Buffer() { release(); }
  void release() {
    ::operator delete(data, kPage);
    data = nullptr;
    bytes = 0;
  }
};
}  // namespace

void* scratch(int64_t bytes) {
  thread_local Buffer buffer;
  if (bytes > buffer.bytes) {
    buffer.release();
    buffer.data = ::operator new(static_cast<size_t>(bytes), kPage);
    buffer.bytes = bytes;
  }
  return buffer.data;
}

}  // namespace quern::backend::cpu
