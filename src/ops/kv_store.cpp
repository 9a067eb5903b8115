#include "ops/kv_store.h"

#include <algorithm>
#include <cmath>

#include "ops/op_support.h"

namespace quern::ops {

namespace {

backend::KvBlocks blocks_of(const KvStore& store) {
  return {store.table.data<int32_t>(), store.table.dim(1), store.dtype};
}

const char* head_of(const KvStore& store, const Tensor& tensor, int64_t b, int64_t token, int64_t head) {
  return static_cast<const char*>(tensor.raw()) + (blocks_of(store).block(b, token) * store.kv_heads + head) *
                                                      backend::kv_head_bytes(store.dtype, store.head_dim);
}

}  // namespace

int64_t KvStore::block_bytes(int64_t kv_heads, int64_t head_dim, DType dtype) {
  expect(backend::is_kv_dtype(dtype), "kv_store", "a cache in f32, f16, bf16 or Q8_0, got {}",
         name_of(dtype));
  return kv_heads * backend::kv_head_bytes(dtype, head_dim);
}

KvStore KvStore::create(int64_t blocks, int64_t kv_heads, int64_t head_dim, DType dtype, Tensor table) {
  expect(dtype != DType::q8_0 || head_dim % backend::kKvScaled == 0, "kv_store",
         "heads of whole blocks of {} for a cache in Q8_0, got {}", backend::kKvScaled, head_dim);
  expect(table.dtype() == DType::i32 && table.shape().rank() == 2, "kv_store", "a table i32[B, N], got {}",
         table);
  expect_range("kv_store", "table", table, 0, blocks);
  const Shape shape{blocks, block_bytes(kv_heads, head_dim, dtype)};
  return {.keys = Tensor(shape, DType::u8),
          .values = Tensor(shape, DType::u8),
          .table = std::move(table),
          .dtype = dtype,
          .kv_heads = kv_heads,
          .head_dim = head_dim};
}

void store_kv(const KvStore& store, const Tensor& k, const Tensor& v, const Tensor& positions) {
  expect_float("store_kv", "keys", k);
  expect(positions.shape().rank() == 2, "store_kv", "positions [B, T], got {}", positions);
  expect_like("store_kv", "positions", positions, {store.table.dim(0), positions.dim(1)}, DType::i32);
  expect_like("store_kv", "keys", k, {positions.dim(0), positions.dim(1), store.kv_heads, store.head_dim},
              k.dtype());
  expect_like("store_kv", "values", v, k.shape(), k.dtype());
  expect_range("store_kv", "positions", positions, 0, store.table.dim(1) * kKvSlots);
  backend::run(&KernelTable::store_kv, backend::StoreKvArgs{.batch = positions.dim(0),
                                                            .time = positions.dim(1),
                                                            .kv_heads = store.kv_heads,
                                                            .head_dim = store.head_dim,
                                                            .k = k.raw(),
                                                            .v = v.raw(),
                                                            .positions = positions.data<int32_t>(),
                                                            .keys = store.keys.raw(),
                                                            .values = store.values.raw(),
                                                            .blocks = blocks_of(store),
                                                            .dtype = k.dtype()});
}

LoadedKv load_kv(const KvStore& store, int64_t b, int64_t begin, int64_t end) {
  const Shape shape{1, end - begin, store.kv_heads, store.head_dim};
  const LoadedKv loaded{Tensor(shape, DType::f32), Tensor(shape, DType::f32)};
  float* k = loaded.keys.data<float>();
  float* v = loaded.values.data<float>();
  for (int64_t token = begin; token < end; ++token) {
    const int64_t slot = token % kKvSlots;
    for (int64_t head = 0; head < store.kv_heads; ++head) {
      const char* key = head_of(store, store.keys, b, token, head);
      const char* value = head_of(store, store.values, b, token, head);
      for (int64_t d = 0; d < store.head_dim; ++d) {
        const int64_t scale = backend::kv_scale_index(slot, d);
        *k++ = backend::kv_element(key, store.dtype, store.head_dim, backend::kv_key_index(slot, d), scale);
        *v++ = backend::kv_element(value, store.dtype, store.head_dim,
                                   backend::kv_value_index(slot, d, store.head_dim), scale);
      }
    }
  }
  return loaded;
}

Tensor attention(const Tensor& q, const KvStore& store, const AttentionMask& mask,
                 const AttentionOptions& options) {
  expect_float("attention", "query", q);
  expect(q.shape().rank() == 4 && q.dim(0) == store.table.dim(0) && q.dim(3) == store.head_dim &&
             q.dim(2) % store.kv_heads == 0,
         "attention", "queries [B, T, H, D] of {} sequences, {} dividing H, D = {}, got {}",
         store.table.dim(0), store.kv_heads, store.head_dim, q);
  expect(!autograd::recording({&q, &options.bias}), "attention", "no gradient through a cache");
  check_mask(mask, {q.dim(0), q.dim(1)}, store.table.dim(1) * kKvSlots);
  const auto ends = mask.end.span<int32_t>();
  const int64_t keys = ends.empty() ? 0 : *std::ranges::max_element(ends);
  const int64_t bias_keys = options.bias.defined() ? options.bias.dim(-1) : keys;
  expect(bias_keys >= keys, "attention", "a bias of at least {} keys, got {}", keys, options.bias);
  check_options(options, q, bias_keys);
  Tensor y(q.shape(), q.dtype());
  backend::run(&KernelTable::attention,
               backend::AttentionArgs{.batch = q.dim(0),
                                      .queries = q.dim(1),
                                      .keys = keys,
                                      .heads = q.dim(2),
                                      .kv_heads = store.kv_heads,
                                      .head_dim = store.head_dim,
                                      .q = q.raw(),
                                      .k = store.keys.raw(),
                                      .v = store.values.raw(),
                                      .begin = mask.begin.data<int32_t>(),
                                      .end = mask.end.data<int32_t>(),
                                      .slopes = static_cast<const float*>(options.slopes.raw()),
                                      .scale = attention_scale(options, store.head_dim),
                                      .softcap = options.softcap,
                                      .y = y.raw(),
                                      .lse = nullptr,
                                      .kv_batch_stride = 0,
                                      .dtype = q.dtype(),
                                      .blocks = blocks_of(store),
                                      .bias = options.bias.raw(),
                                      .bias_keys = bias_keys,
                                      .bias_batch_stride = bias_batch_stride(options.bias)});
  return y;
}

}  // namespace quern::ops
