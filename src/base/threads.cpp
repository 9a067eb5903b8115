#include "base/threads.h"

#include <omp.h>

namespace quern {

int num_threads() { return omp_get_max_threads(); }
void set_num_threads(int n) { omp_set_num_threads(n); }
void release_threads() { omp_pause_resource_all(omp_pause_soft); }

}  // namespace quern
