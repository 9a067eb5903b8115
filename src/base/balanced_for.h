// A parallel loop whose threads help each other: for work that waits for memory, on machines whose cores are not all at hand
// all the time.
#pragma once

#include <omp.h>

#include <cstdint>

#include "base/threads.h"

namespace quern {

// As parallel_for, but each thread takes its share in parts, from its beginning to its end, and then parts that others have not
// come to. What a part covers depends on nothing but `count` and the number of threads; who computes it does.
template <class Body>
void balanced_for(int64_t count, int64_t grain, const Body& body) {
  // Without std templates, as parallel_for. Parts: a sixteenth of a share is the most that anybody waits for.
  constexpr int64_t kMostThreads = 64, kParts = 16;
  struct alignas(64) Share {
    int64_t taken = 0;
  };
  const int64_t least = grain > 1 ? grain : 1, wanted = (count + least - 1) / least;
  int64_t threads = num_threads() < kMostThreads ? num_threads() : kMostThreads;
  threads = wanted < threads ? wanted : threads;
  if (threads <= 1) {
    if (count > 0) body(int64_t{0}, count);
    return;
  }
  Share shares[kMostThreads];
#pragma omp parallel num_threads(static_cast <int>(threads))
  {
    const int64_t self = omp_get_thread_num();
    for (int64_t i = 0; i < threads; ++i) {
      const int64_t owner = (self + i) % threads;
      const int64_t begin = count * owner / threads, end = count * (owner + 1) / threads;
      const int64_t even = (end - begin + kParts - 1) / kParts, size = even > least ? even : least;
      for (;;) {
        const int64_t from = begin + size * __atomic_fetch_add(&shares[owner].taken, 1, __ATOMIC_RELAXED);
        if (from >= end) break;
        body(from, from + size < end ? from + size : end);
      }
    }
  }
}

}  // namespace quern
