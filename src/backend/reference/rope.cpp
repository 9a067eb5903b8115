#include "backend/reference/access.h"
#include "backend/reference/kernels.h"

namespace quern::backend::reference {

namespace {

// One head vector of D channels at one position; `cos` and `sin` are the row of that position.
template <class T>
void rotate(const RopeArgs& a, const float* cos, const float* sin, const T* x, T* y) {
  const int64_t half = a.rotary / 2;
  for (int64_t i = 0; i < half; ++i) {
    const int64_t first = a.half_split ? i : 2 * i;
    const int64_t second = a.half_split ? i + half : 2 * i + 1;
    const double c = cos[i], s = a.inverse ? -sin[i] : sin[i];
    const double u = to_double(x[first]), v = to_double(x[second]);
    y[first] = from_double<T>(u * c - v * s);
    y[second] = from_double<T>(u * s + v * c);
  }
  for (int64_t i = a.rotary; i < a.head_dim; ++i) y[i] = x[i];
}

}  // namespace

bool rope(const RopeArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class>() {
    for (int64_t r = 0; r < a.rows; ++r) {
      const int64_t angles = a.positions[r] * (a.rotary / 2);
      for (int64_t h = 0; h < a.heads; ++h) {
        const int64_t offset = (r * a.heads + h) * a.head_dim;
        rotate(a, a.cos + angles, a.sin + angles, static_cast<const T*>(a.x) + offset,
               static_cast<T*>(a.y) + offset);
      }
    }
  });
}

}  // namespace quern::backend::reference
