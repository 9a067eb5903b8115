// Puts keys and values into the blocks of a cache.
#pragma once

#include "backend/cpu/kernels/support.h"

namespace quern::backend::cpu::QUERN_ISA {

// Where the channels of one token go among the elements of a head: `step` apart, from `first` on.
struct KvPlace {
  int64_t slot, first, step;
};

template <class T, class Kv>
inline void store_kv_head(const T* x, int64_t head_dim, Kv* head, const KvPlace& place) {
  for_lanes(head_dim, [&](int64_t d, auto lanes) {
    Kv part[kWidth];
    Vec::load(x + d, lanes).store(part);
    Kv* to = head + place.first + d * place.step;
    for (int i = 0; i < lanes.count; ++i) to[i * place.step] = part[i];
  });
}

// In Q8_0.
template <class T>
inline void store_kv_head(const T* x, int64_t head_dim, void* head, const KvPlace& place) {
  for (int64_t d = 0; d < head_dim; d += kKvScaled) {
    Vec most(0.0f);
    for (int i = 0; i < kKvScaled; i += kWidth) most = max(most, abs(Vec::load(x + d + i)));
    const float scale = max_lanes(most) / 127.0f;
    const Vec inverse(scale == 0.0f ? 0.0f : 1.0f / scale);
    float16 stored[kWidth];
    Vec(scale).store(stored);
    static_cast<float16*>(head)[kv_scale_index(place.slot, d)] = stored[0];
    float numbers[kKvScaled];
    for (int i = 0; i < kKvScaled; i += kWidth) {
      const Vec number = round(Vec::load(x + d + i) * inverse);
      min(max(number, Vec(-127.0f)), Vec(127.0f)).store(numbers + i);  // NaN has no place among integers
    }
    int8_t* to = kv_numbers(head, head_dim) + place.first + d * place.step;
    for (int i = 0; i < kKvScaled; ++i) to[i * place.step] = static_cast<int8_t>(numbers[i]);
  }
}

// Calls f.template operator()<Kv>() with the elements of a cache; void stands for Q8_0.
template <class F>
inline void visit_kv(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f16:
      return f.template operator()<float16>();
    case DType::bf16:
      return f.template operator()<bfloat16>();
    case DType::q8_0:
      return f.template operator()<void>();
    default:
      return f.template operator()<float>();
  }
}

inline bool store_kv(const StoreKvArgs& a) {
  const int64_t head_bytes = kv_head_bytes(a.blocks.dtype, a.head_dim), cols = a.kv_heads * a.head_dim;
  return visit_dtype(a.dtype, [&]<class T>() {
    visit_kv(a.blocks.dtype, [&]<class Kv>() {
      parallel_for(a.batch * a.time, row_grain(kLightGrain / 4, cols), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t slot = a.positions[i] % kKvSlots, block = a.blocks.block(i / a.time, a.positions[i]);
          for (int64_t h = 0; h < a.kv_heads; ++h) {
            const int64_t from = i * cols + h * a.head_dim, to = (block * a.kv_heads + h) * head_bytes;
            store_kv_head(static_cast<const T*>(a.k) + from, a.head_dim,
                          reinterpret_cast<Kv*>(static_cast<char*>(a.keys) + to),
                          {slot, kv_key_index(slot, 0), kKvSlots});
            store_kv_head(static_cast<const T*>(a.v) + from, a.head_dim,
                          reinterpret_cast<Kv*>(static_cast<char*>(a.values) + to),
                          {slot, kv_value_index(slot, 0, a.head_dim), 1});
          }
        }
      });
    });
  });
}

}  // namespace quern::backend::cpu::QUERN_ISA
