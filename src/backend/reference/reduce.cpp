#include <vector>

#include "backend/reference/access.h"
#include "backend/reference/kernels.h"

namespace quern::backend::reference {

bool sum_rows(const SumRowsArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class Wide>() {
    std::vector<double> sums(static_cast<size_t>(a.cols));
    for (int64_t r = 0; r < a.rows; ++r) {
      for (int64_t c = 0; c < a.cols; ++c) sums[static_cast<size_t>(c)] += at<T>(a.x, r * a.cols + c, 0.0);
    }
    for (int64_t c = 0; c < a.cols; ++c) {
      Wide& out = static_cast<Wide*>(a.out)[c];
      out = static_cast<Wide>(sums[static_cast<size_t>(c)] + (a.accumulate ? to_double(out) : 0.0));
    }
  });
}

bool sum(const SumArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class>() {
    double total = 0.0;
    for (int64_t i = 0; i < a.count; ++i) {
      const double value = at<T>(a.x, i, 0.0);
      total += a.squared ? value * value : value;
    }
    *a.out = total;
  });
}

}  // namespace quern::backend::reference
