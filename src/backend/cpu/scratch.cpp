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
  void* at_least(int64_t wanted) {
    if (wanted > bytes) {
      release();
      bytes = wanted;
      data = ::operator new(static_cast<size_t>(bytes), alignment());
      advise_huge_pages(data, bytes);
    }
    return data;
  }
};
}  // namespace

void* scratch(int64_t bytes) {
  thread_local Buffer buffer;
  return buffer.at_least(bytes);
}

void* shared_scratch(int64_t bytes) {
  thread_local Buffer buffer;
  return buffer.at_least(bytes);
}

}  // namespace quern::backend::cpu
