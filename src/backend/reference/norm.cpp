#include <cmath>

#include "backend/reference/access.h"
#include "backend/reference/kernels.h"

namespace quern::backend::reference {

bool norm(const NormArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class Wide>() {
    const T* x = static_cast<const T*>(a.x);
    for (int64_t r = 0; r < a.rows; ++r) {
      const T* row = x + r * a.cols;
      double mean = 0.0;
      if (a.kind == NormKind::layer) {
        for (int64_t c = 0; c < a.cols; ++c) mean += to_double(row[c]);
        mean /= static_cast<double>(a.cols);
      }
      double square = 0.0;
      for (int64_t c = 0; c < a.cols; ++c) square += std::pow(to_double(row[c]) - mean, 2);
      const double rstd = 1.0 / std::sqrt(square / static_cast<double>(a.cols) + a.eps);
      for (int64_t c = 0; c < a.cols; ++c) {
        const double weight = at<Wide>(a.weight, c, 1.0) + a.weight_offset;
        const double bias = a.kind == NormKind::layer ? at<Wide>(a.bias, c, 0.0) : 0.0;
        static_cast<T*>(a.y)[r * a.cols + c] =
            from_double<T>((to_double(row[c]) - mean) * rstd * weight + bias);
      }
      if (a.mean != nullptr) static_cast<Wide*>(a.mean)[r] = static_cast<Wide>(mean);
      if (a.rstd != nullptr) static_cast<Wide*>(a.rstd)[r] = static_cast<Wide>(rstd);
    }
  });
}

// With n = (x - mean) * rstd and g = dy * weight:  dx = rstd * (g - mean(g) - n * mean(g*n)), without mean(g)
// for rms.
bool norm_backward(const NormBackwardArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class Wide>() {
    for (int64_t r = 0; r < a.rows; ++r) {
      const T* x = static_cast<const T*>(a.x) + r * a.cols;
      const T* dy = static_cast<const T*>(a.dy) + r * a.cols;
      const double mean = a.kind == NormKind::layer ? at<Wide>(a.mean, r, 0.0) : 0.0;
      const double rstd = at<Wide>(a.rstd, r, 0.0);
      double mean_g = 0.0, mean_gn = 0.0;
      for (int64_t c = 0; c < a.cols; ++c) {
        const double n = (to_double(x[c]) - mean) * rstd;
        const double g = to_double(dy[c]) * (at<Wide>(a.weight, c, 1.0) + a.weight_offset);
        mean_g += g;
        mean_gn += g * n;
        if (a.dweight != nullptr) static_cast<Wide*>(a.dweight)[c] += static_cast<Wide>(to_double(dy[c]) * n);
        if (a.dbias != nullptr) static_cast<Wide*>(a.dbias)[c] += static_cast<Wide>(to_double(dy[c]));
      }
      mean_g = a.kind == NormKind::layer ? mean_g / static_cast<double>(a.cols) : 0.0;
      mean_gn /= static_cast<double>(a.cols);
      if (a.dx == nullptr) continue;
      for (int64_t c = 0; c < a.cols; ++c) {
        const double n = (to_double(x[c]) - mean) * rstd;
        const double g = to_double(dy[c]) * (at<Wide>(a.weight, c, 1.0) + a.weight_offset);
        static_cast<T*>(a.dx)[r * a.cols + c] = from_double<T>(rstd * (g - mean_g - n * mean_gn));
      }
    }
  });
}

}  // namespace quern::backend::reference
