#include "backend/reference/access.h"
#include "backend/reference/kernels.h"

namespace quern::backend::reference {

bool embedding(const EmbeddingArgs& a) {
  for (int64_t i = 0; i < a.count; ++i) {
    for (int64_t c = 0; c < a.cols; ++c) {
      store(a.y, a.dtype, i * a.cols + c, load(a.w, a.w_dtype, a.ids[i] * a.cols + c));
    }
  }
  return true;
}

bool embedding_backward(const EmbeddingBackwardArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class Wide>() {
    for (int64_t i = 0; i < a.count; ++i) {
      const T* dy = static_cast<const T*>(a.dy) + i * a.cols;
      Wide* dw = static_cast<Wide*>(a.dw) + a.ids[i] * a.cols;
      for (int64_t c = 0; c < a.cols; ++c) dw[c] += static_cast<Wide>(to_double(dy[c]));
    }
  });
}

}  // namespace quern::backend::reference
