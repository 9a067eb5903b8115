#include "base/read_bandwidth.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "base/exception.h"
#include "base/huge_pages.h"
#include "base/machine.h"
#include "base/threads.h"

namespace quern {

namespace {

constexpr int64_t kPiece = int64_t{512} << 10;  // bytes
// Further than the CPU looks ahead by itself: asking for a line 8 KiB before it is needed
// keeps as many lines under way with 16-byte registers as 64-byte ones do alone.
constexpr int64_t kAhead = 8 << 10;

using Lanes = uint64_t __attribute__((vector_size(16)));
constexpr int64_t kLine = 64 / sizeof(Lanes);

// The sum of the 64-bit words of a piece. Four sums, so that additions do not wait for each other.
uint64_t read_piece(const Lanes* lanes) {
  Lanes sums[kLine] = {};
  for (const Lanes* line = lanes; line < lanes + kPiece / static_cast<int64_t>(sizeof(Lanes));
       line += kLine) {
    __builtin_prefetch(reinterpret_cast<const char*>(line) + kAhead);
    for (int64_t i = 0; i < kLine; ++i) sums[i] += line[i];
  }
  const Lanes sum = sums[0] + sums[1] + sums[2] + sums[3];
  return sum[0] + sum[1];
}

}  // namespace

void ReadBandwidth::Free::operator()(void* data) const { std::free(data); }

ReadBandwidth::ReadBandwidth(int64_t bytes) : pieces_((bytes + kPiece - 1) / kPiece) {
  const auto size = static_cast<size_t>(pieces_ * kPiece);
  const size_t alignment = static_cast<size_t>(huge_page_alignment(pieces_ * kPiece, 64));
  data_.reset(std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment));
  if (!data_) {
    throw Exception(make_error(ErrorCode::out_of_memory, "no memory to measure its bandwidth with"));
  }
  advise_huge_pages(data_.get(), static_cast<int64_t>(size));
  // Written, so that every page is a page of its own, by the threads that will read it.
  auto* begin = static_cast<std::byte*>(data_.get());
  parallel_for(pieces_, 1, [&](int64_t first, int64_t last) {
    std::memset(begin + first * kPiece, 1, static_cast<size_t>((last - first) * kPiece));
  });
}

double ReadBandwidth::measure() {
  const auto* begin = static_cast<const std::byte*>(data_.get());
  std::atomic<uint64_t> sum = 0;
  const Stopwatch watch;
  parallel_for(pieces_, 1, [&](int64_t first, int64_t last) {
    uint64_t part = 0;
    for (int64_t piece = first; piece < last; ++piece)
      part += read_piece(reinterpret_cast<const Lanes*>(begin + piece * kPiece));
    sum += part;
  });
  const double seconds = watch.seconds();
  const uint64_t words = static_cast<uint64_t>(pieces_ * kPiece) / sizeof(uint64_t);
  if (sum != words * 0x0101010101010101u) throw InternalError("the bandwidth test read wrong values");
  return static_cast<double>(pieces_ * kPiece) / seconds;
}

int64_t bytes_beyond_caches() {
  const int64_t cache = std::max<int64_t>(::sysconf(_SC_LEVEL3_CACHE_SIZE), 0);
  const int64_t wanted = std::clamp(2 * cache, int64_t{256} << 20, int64_t{1} << 30);
  return std::min(wanted, static_cast<int64_t>(machine_info().available_bytes / 2));
}

}  // namespace quern
