// Keys and values of past tokens in the blocks of a cache (backend/api/kv_blocks.h), and attention over them.
#pragma once

#include "backend/api/kv_blocks.h"
#include "ops/attention.h"

namespace quern::ops {

using backend::kKvSlots;

// Blocks that hold so many tokens of one sequence.
constexpr int64_t kv_blocks_for(int64_t tokens) { return (tokens + kKvSlots - 1) / kKvSlots; }

// Blocks of kKvSlots tokens. Tokens [64 i, 64 i + 64) of sequence b lie in block table[b, i], wherever that is: rings
// name a block again, pages come in any order, and sequences may share what they have in common.
struct KvStore {
  Tensor keys;    // u8 [blocks, bytes of a block]
  Tensor values;  // the same
  Tensor table;   // i32 [B, N]
  DType dtype = DType::f32;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;

  // `dtype` is f32, f16, bf16, or q8_0 where 32 divides head_dim. Throws ShapeError.
  static KvStore create(int64_t blocks, int64_t kv_heads, int64_t head_dim, DType dtype, Tensor table);
  static int64_t block_bytes(int64_t kv_heads, int64_t head_dim, DType dtype);  // of keys, or of values
  int64_t bytes() const { return keys.bytes() + values.bytes(); }
};

// Puts k and v [B, T, K, D] at `positions` (i32 [B, T]) of their sequences. Not recorded. Throws ShapeError.
void store_kv(const KvStore& store, const Tensor& k, const Tensor& v, const Tensor& positions);
// What was stored at positions [begin, end) of sequence b, as f32 [1, end - begin, K, D]. Slow: for rare moves.
struct LoadedKv {
  Tensor keys, values;
};
LoadedKv load_kv(const KvStore& store, int64_t b, int64_t begin, int64_t end);

// attention() of q [B, T, H, D] over the store. The bits of a row do not depend on the other rows, nor on where its
// keys lie. Not differentiable: throws ShapeError where it would be recorded.
Tensor attention(const Tensor& q, const KvStore& store, const AttentionMask& mask,
                 const AttentionOptions& options = {});

}  // namespace quern::ops
