#include "backend/reference/access.h"
#include "backend/reference/kernels.h"

namespace quern::backend::reference {

namespace {
double combine(Binary kind, double a, double b) {
  switch (kind) {
    case Binary::add:
      return a + b;
    case Binary::sub:
      return a - b;
    case Binary::mul:
      return a * b;
  }
  return 0.0;
}
}  // namespace

bool binary(const BinaryArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class>() {
    for (int64_t i = 0; i < a.count; ++i) {
      static_cast<T*>(a.y)[i] =
          from_double<T>(combine(a.kind, at<T>(a.a, i, 0.0), at<T>(a.b, i % a.b_count, 0.0)));
    }
  });
}

bool axpby(const AxpbyArgs& a) {
  for (int64_t i = 0; i < a.count; ++i) {
    const double held = a.beta == 0.0 ? 0.0 : a.beta * load(a.y, a.y_dtype, i);
    store(a.y, a.y_dtype, i, a.alpha * load(a.x, a.x_dtype, i) + held);
  }
  return true;
}

}  // namespace quern::backend::reference
