#include "base/huge_pages.h"

#include <cstddef>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace quern {

void advise_huge_pages([[maybe_unused]] void* data, [[maybe_unused]] int64_t bytes) {
#if defined(__linux__)
  const int64_t whole = bytes / kHugePage * kHugePage;
  if (whole > 0) madvise(data, static_cast<size_t>(whole), MADV_HUGEPAGE);
#endif
}

}  // namespace quern
