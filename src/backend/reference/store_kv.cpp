#include <algorithm>
#include <cmath>

#include "backend/reference/access.h"
#include "backend/reference/kernels.h"

namespace quern::backend::reference {

namespace {

// Channels [first, first + kKvScaled) of a head, in Q8_0; `index` gives the place of a channel's number.
template <class T, class Index>
void store_scaled(const T* x, int64_t first, int64_t slot, void* head, int64_t head_dim, const Index& index) {
  float largest = 0.0f;
  for (int64_t d = first; d < first + kKvScaled; ++d)
    largest = std::max(largest, static_cast<float>(std::fabs(to_double(x[d]))));
  const float scale = largest / 127.0f;
  const float inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
  static_cast<float16*>(head)[kv_scale_index(slot, first)] = float16(scale);
  for (int64_t d = first; d < first + kKvScaled; ++d) {
    const float number = std::nearbyint(static_cast<float>(to_double(x[d])) * inverse);
    kv_numbers(head, head_dim)[index(d)] = static_cast<int8_t>(std::fmin(std::fmax(number, -127.0f), 127.0f));
  }
}

template <class T, class Index>
void store_head(const StoreKvArgs& a, const T* x, int64_t slot, void* head, const Index& index) {
  if (a.blocks.dtype == DType::q8_0) {
    for (int64_t d = 0; d < a.head_dim; d += kKvScaled) store_scaled(x, d, slot, head, a.head_dim, index);
    return;
  }
  for (int64_t d = 0; d < a.head_dim; ++d) store(head, a.blocks.dtype, index(d), to_double(x[d]));
}

}  // namespace

bool store_kv(const StoreKvArgs& a) {
  const int64_t head_bytes = kv_head_bytes(a.blocks.dtype, a.head_dim);
  return visit_pair(a.dtype, [&]<class T, class Wide>() {
    for (int64_t i = 0; i < a.batch * a.time; ++i) {
      const int64_t slot = a.positions[i] % kKvSlots, block = a.blocks.block(i / a.time, a.positions[i]);
      for (int64_t h = 0; h < a.kv_heads; ++h) {
        const int64_t from = (i * a.kv_heads + h) * a.head_dim, to = (block * a.kv_heads + h) * head_bytes;
        store_head(a, static_cast<const T*>(a.k) + from, slot, static_cast<char*>(a.keys) + to,
                   [&](int64_t d) { return kv_key_index(slot, d); });
        store_head(a, static_cast<const T*>(a.v) + from, slot, static_cast<char*>(a.values) + to,
                   [&](int64_t d) { return kv_value_index(slot, d, a.head_dim); });
      }
    }
  });
}

}  // namespace quern::backend::reference
