#include <cmath>

#include "backend/reference/access.h"
#include "backend/reference/kernels.h"

namespace quern::backend::reference {

bool adamw(const AdamWArgs& a) {
  for (int64_t i = 0; i < a.count; ++i) {
    const double g = a.grad[i] * a.grad_scale;
    const double m = a.beta1 * a.m[i] + (1.0 - a.beta1) * g;
    const double v = a.beta2 * a.v[i] + (1.0 - a.beta2) * g * g;
    const double decayed = a.w[i] - a.lr * a.decay * a.w[i];
    a.m[i] = static_cast<float>(m);
    a.v[i] = static_cast<float>(v);
    a.w[i] =
        static_cast<float>(decayed - a.lr * (m / a.correction1) / (std::sqrt(v / a.correction2) + a.eps));
    if (a.shadow != nullptr) store(a.shadow, a.shadow_dtype, i, static_cast<double>(a.w[i]));
  }
  return true;
}

}  // namespace quern::backend::reference
