#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/reference/access.h"
#include "backend/reference/kernels.h"

namespace quern::backend::reference {

bool softmax(const SoftmaxArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class>() {
    for (int64_t r = 0; r < a.rows; ++r) {
      const T* x = static_cast<const T*>(a.x) + r * a.cols;
      T* y = static_cast<T*>(a.y) + r * a.cols;
      double top = -std::numeric_limits<double>::infinity(), total = 0.0;
      for (int64_t c = 0; c < a.cols; ++c) top = std::max(top, to_double(x[c]));
      for (int64_t c = 0; c < a.cols; ++c) total += std::exp(to_double(x[c]) - top);
      for (int64_t c = 0; c < a.cols; ++c) y[c] = from_double<T>(std::exp(to_double(x[c]) - top) / total);
    }
  });
}

// dx = y * (dy - y·dy)
bool softmax_backward(const SoftmaxBackwardArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class>() {
    for (int64_t r = 0; r < a.rows; ++r) {
      const T* y = static_cast<const T*>(a.y) + r * a.cols;
      const T* dy = static_cast<const T*>(a.dy) + r * a.cols;
      double product = 0.0;
      for (int64_t c = 0; c < a.cols; ++c) product += to_double(y[c]) * to_double(dy[c]);
      for (int64_t c = 0; c < a.cols; ++c) {
        static_cast<T*>(a.dx)[r * a.cols + c] =
            from_double<T>(to_double(y[c]) * (to_double(dy[c]) - product));
      }
    }
  });
}

}  // namespace quern::backend::reference
