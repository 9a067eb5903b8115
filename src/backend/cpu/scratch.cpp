#include "backend/cpu/scratch.h"

#include <cstddef>
#include <new>

#include "base/huge_pages.h"

namespace quern::backend::cpu {

namespace {
constexpr int64_t kPage = 4096;

struct Buffer {
  void* data = nullptr;
  int64_t bytes = 0;
  ~Buffer() { release(); }
  std::align_val_t alignment() const {
    return std::align_val_t(static_cast<size_t>(huge_page_alignment(bytes, kPage)));
  }
  void release() {
    ::operator delete(data, alignment());
    data = nullptr;
    bytes = 0;
  }
};
}  // namespace

void* scratch(int64_t bytes) {
  thread_local Buffer buffer;
  if (bytes > buffer.bytes) {
    buffer.release();
    buffer.bytes = bytes;
    buffer.data = ::operator new(static_cast<size_t>(bytes), buffer.alignment());
    advise_huge_pages(buffer.data, bytes);
  }
  return buffer.data;
}

}  // namespace quern::backend::cpu
