// How many CPU threads kernels may use. One runtime, OpenMP, because oneDNN stands on it and two pools on few
// cores fight each other.
#pragma once

#include <cstdint>

namespace quern {

// Default: OMP_NUM_THREADS, else the CPUs this process may run on.
int num_threads();
// Process-wide; call between kernels, not during one. Precondition: n >= 1.
void set_num_threads(int n);
// Ends the threads that wait for work from the calling one, which gets new ones when it has some again. libgomp lets threads sleep
// sooner where it counts more of them than CPUs, and the system then wakes them on the CPU of the one that calls, beside
// an idle one: a thread that has loaded a model which another runs must not keep its own.
void release_threads();

// Calls body(begin, end) over disjoint pieces that cover [0, count), in parallel when there is more than
// `grain` of work. Pieces are for outputs only: a reduction must not depend on how the range was cut. An
// exception in the body ends the process, so bodies must not throw.
template <class Body>
void parallel_for(int64_t count, int64_t grain, const Body& body) {
  // Without std templates: the kernels of backend/cpu/isa include this file and must instantiate none.
  const int64_t least = grain > 1 ? grain : 1, threads = num_threads(), wanted = (count + least - 1) / least;
  const int64_t pieces = wanted < threads ? wanted : threads;
  if (pieces <= 1) {
    if (count > 0) body(int64_t{0}, count);
    return;
  }
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(pieces))
  for (int64_t i = 0; i < pieces; ++i) body(count * i / pieces, count * (i + 1) / pieces);
}

}  // namespace quern
