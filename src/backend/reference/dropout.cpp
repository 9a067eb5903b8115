#include "backend/reference/access.h"
#include "backend/reference/kernels.h"
#include "base/rng.h"

namespace quern::backend::reference {

bool dropout(const DropoutArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class>() {
    const double threshold = a.p * 0x1p32;
    for (int64_t i = 0; i < a.count; ++i) {
      const uint64_t block = static_cast<uint64_t>(i) / 4;
      const auto words = philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                                     static_cast<uint32_t>(a.stream), static_cast<uint32_t>(a.stream >> 32)},
                                    {static_cast<uint32_t>(a.seed), static_cast<uint32_t>(a.seed >> 32)});
      const bool kept = static_cast<double>(words[static_cast<size_t>(i % 4)]) >= threshold;
      static_cast<T*>(a.y)[i] = from_double<T>(kept ? at<T>(a.x, i, 0.0) / (1.0 - a.p) : 0.0);
    }
  });
}

}  // namespace quern::backend::reference
