#include "base/huge_pages.h"

#include <cstdlib>

#if defined(__linux__)
#include <sys/mman.h>
#endif

// Under AddressSanitizer memory is malloc's, which sees accesses past its end.
#if defined(__SANITIZE_ADDRESS__)
#define QUERN_MAPS_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define QUERN_MAPS_MEMORY 0
#endif
#endif
#if !defined(QUERN_MAPS_MEMORY) && defined(__linux__)
#define QUERN_MAPS_MEMORY 1
#endif

namespace quern {

namespace {

constexpr int64_t kPage = 4096;

#if QUERN_MAPS_MEMORY
int64_t whole_pages(int64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }
#endif

}  // namespace

void advise_huge_pages([[maybe_unused]] void* data, [[maybe_unused]] int64_t bytes) {
#if defined(__linux__)
  const int64_t whole = bytes / kHugePage * kHugePage;
  if (whole > 0) madvise(data, static_cast<size_t>(whole), MADV_HUGEPAGE);
#endif
}

std::byte* map_memory(int64_t bytes) {
  const int64_t alignment = huge_page_alignment(bytes, kPage);
#if QUERN_MAPS_MEMORY
  // What lies before and behind the aligned part is given back at once.
  const int64_t size = whole_pages(bytes), padded = size + alignment - kPage;
  void* const mapped =
      mmap(nullptr, static_cast<size_t>(padded), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* const first = static_cast<std::byte*>(mapped);
  const int64_t past = static_cast<int64_t>(reinterpret_cast<uintptr_t>(first)) % alignment,
                before = past == 0 ? 0 : alignment - past, behind = padded - size - before;
  if (before > 0) munmap(first, static_cast<size_t>(before));
  if (behind > 0) munmap(first + before + size, static_cast<size_t>(behind));
  std::byte* const data = first + before;
#else
  const auto unit = static_cast<size_t>(alignment);
  auto* const data = static_cast<std::byte*>(
      std::aligned_alloc(unit, (static_cast<size_t>(bytes) + unit - 1) / unit * unit));
  if (data == nullptr) return nullptr;
#endif
  advise_huge_pages(data, bytes);
  return data;
}

void unmap_memory(std::byte* data, [[maybe_unused]] int64_t bytes) {
#if QUERN_MAPS_MEMORY
  munmap(data, static_cast<size_t>(whole_pages(bytes)));
#else
  std::free(data);
#endif
}

}  // namespace quern
