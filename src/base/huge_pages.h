// Large blocks of memory on huge pages, where the system gives them on request: a matrix read across its rows
// touches a page per row, more than the CPU's tables of 4 KiB pages hold.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quern {

inline constexpr int64_t kHugePage = int64_t{2} << 20;

// The alignment a block of this many bytes should have: kHugePage where huge pages help it, else `least`.
constexpr int64_t huge_page_alignment(int64_t bytes, int64_t least) {
  return bytes >= kHugePage ? kHugePage : least;
}

// Asks for huge pages under the whole ones of [data, data + bytes), before they are first touched. A hint: nothing
// happens where the system has none. Thread-safe.
void advise_huge_pages(void* data, int64_t bytes);

// `bytes` of memory straight from the system, aligned as huge_page_alignment(bytes, a page) says and advised so; null where
// there is none. Unlike malloc's, which may stay as a hole between others, it is the system's again once it is unmapped.
// Thread-safe.
std::byte* map_memory(int64_t bytes);
// `bytes` as they were asked for.
void unmap_memory(std::byte* data, int64_t bytes);

}  // namespace quern
