// How a cache of keys and values lies in memory. The kernels of backend/cpu/isa include this file: no std templates, and
// nothing that an unoptimised build could leave as a function of its own.
//
// A block holds kKvSlots tokens of one sequence, its heads one after the other. Keys of a head lie channel by channel,
// [D][64]: a query meets 64 keys in whole vectors, and nothing is transposed when they are read. Values lie token by
// token, [64][D]. In Q8_0, f16 scales [D/32][64] of 32 channels of a token stand before the numbers.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace quern::backend {

inline constexpr int64_t kKvSlots = 64;
inline constexpr int64_t kKvScaled = 32;  // channels that share a scale in Q8_0

[[gnu::always_inline]] constexpr bool is_kv_dtype(DType d) {
  return d == DType::f32 || d == DType::f16 || d == DType::bf16 || d == DType::q8_0;
}

// Bytes of the keys, or of the values, of one head of a block. Precondition: is_kv_dtype(dtype).
[[gnu::always_inline]] constexpr int64_t kv_head_bytes(DType dtype, int64_t head_dim) {
  if (dtype == DType::f32) return kKvSlots * 4 * head_dim;
  if (dtype != DType::q8_0) return kKvSlots * 2 * head_dim;
  return kKvSlots * (head_dim + 2 * ((head_dim + kKvScaled - 1) / kKvScaled));
}

// Tokens [64 i, 64 i + 64) of sequence b are block table[b * row + i] of the keys and of the values.
struct KvBlocks {
  const int32_t* table = nullptr;
  int64_t row = 0;
  DType dtype = DType::f32;

  [[gnu::always_inline]] int64_t block(int64_t b, int64_t token) const {
    return table[b * row + token / kKvSlots];
  }
};

// Where an element stands among those of its head and block.
[[gnu::always_inline]] constexpr int64_t kv_key_index(int64_t slot, int64_t channel) {
  return channel * kKvSlots + slot;
}
[[gnu::always_inline]] constexpr int64_t kv_value_index(int64_t slot, int64_t channel, int64_t head_dim) {
  return slot * head_dim + channel;
}
[[gnu::always_inline]] constexpr int64_t kv_scale_index(int64_t slot, int64_t channel) {
  return channel / kKvScaled * kKvSlots + slot;
}
// The numbers of a head in Q8_0, which follow its scales.
[[gnu::always_inline]] inline int8_t* kv_numbers(void* head, int64_t head_dim) {
  return static_cast<int8_t*>(head) + 2 * kKvSlots * (head_dim / kKvScaled);
}
[[gnu::always_inline]] inline const int8_t* kv_numbers(const void* head, int64_t head_dim) {
  return static_cast<const int8_t*>(head) + 2 * kKvSlots * (head_dim / kKvScaled);
}

// One element of a head: `index` is that of its number, `scale` that of its scale. For references and rare moves.
inline float kv_element(const void* head, DType dtype, int64_t head_dim, int64_t index, int64_t scale) {
  switch (dtype) {
    case DType::f16:
      return static_cast<float>(static_cast<const float16*>(head)[index]);
    case DType::bf16:
      return static_cast<float>(static_cast<const bfloat16*>(head)[index]);
    case DType::q8_0:
      return static_cast<float>(static_cast<const float16*>(head)[scale]) *
             static_cast<float>(kv_numbers(head, head_dim)[index]);
    default:
      return static_cast<const float*>(head)[index];
  }
}

}  // namespace quern::backend
