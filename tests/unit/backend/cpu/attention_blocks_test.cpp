// Keys and values in the blocks of a cache: storing them, and attention over them.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernel_test.h"

namespace quern::backend {
namespace {

using test::PlainArray;

constexpr DType kCacheDtypes[] = {DType::f32, DType::f16, DType::bf16, DType::q8_0};

// A cache whose blocks lie in no order, filled with `tokens` tokens per sequence.
struct Cache {
  int64_t batch, tokens, kv_heads, head_dim;
  DType dtype;
  PlainArray k, v;
  std::vector<int32_t> table;
  std::vector<char> keys, values;

  Cache(int64_t b, int64_t n, int64_t heads, int64_t dim, DType kv)
      : batch(b), tokens(n), kv_heads(heads), head_dim(dim), dtype(kv) {
    k = PlainArray::random(DType::f32, batch * tokens * kv_heads * head_dim, 2);
    v = PlainArray::random(DType::f32, batch * tokens * kv_heads * head_dim, 3);
    const int64_t row = (tokens + kKvSlots - 1) / kKvSlots;
    for (int64_t i = 0; i < batch * row; ++i)
      table.push_back(static_cast<int32_t>((i * 7 + 3) % (batch * row)));
    std::vector<int32_t> distinct = table;
    std::ranges::sort(distinct);
    EXPECT_EQ(std::ranges::adjacent_find(distinct), distinct.end())
        << "7 must not divide the number of blocks";
    // NaN, in f32, f16 and bf16: what no token has been put to must not be read.
    keys.assign(static_cast<size_t>(batch * row * kv_heads * kv_head_bytes(dtype, head_dim)), '\x7f');
    values = keys;
  }
  KvBlocks blocks() const { return {table.data(), static_cast<int64_t>(table.size()) / batch, dtype}; }
  void store(const KernelTable& with) {
    std::vector<int32_t> positions;
    for (int64_t i = 0; i < batch * tokens; ++i) positions.push_back(static_cast<int32_t>(i % tokens));
    ASSERT_TRUE(with.store_kv({batch, tokens, kv_heads, head_dim, k.data(), v.data(), positions.data(),
                               keys.data(), values.data(), blocks(), DType::f32}));
  }
};

struct Queries {
  int64_t count, heads;
  std::vector<int32_t> begin, end;
  PlainArray q, y;

  // The last `count` tokens of each sequence; query t sees at most `window` keys.
  Queries(const Cache& cache, int64_t n, int64_t group, int64_t window, DType dtype)
      : count(n), heads(group * cache.kv_heads) {
    for (int64_t b = 0; b < cache.batch; ++b) {
      for (int64_t t = 0; t < count; ++t) {
        end.push_back(static_cast<int32_t>(cache.tokens - count + t + 1));
        begin.push_back(static_cast<int32_t>(std::max<int64_t>(0, end.back() - window)));
      }
    }
    q = PlainArray::random(dtype, cache.batch * count * heads * cache.head_dim, 1);
  }
  void attend(const KernelTable& table, const Cache& cache) {
    y = PlainArray(q.dtype(), q.size());
    AttentionArgs args{.batch = cache.batch,
                       .queries = count,
                       .keys = *std::ranges::max_element(end),
                       .heads = heads,
                       .kv_heads = cache.kv_heads,
                       .head_dim = cache.head_dim,
                       .q = q.data(),
                       .k = cache.keys.data(),
                       .v = cache.values.data(),
                       .begin = begin.data(),
                       .end = end.data(),
                       .slopes = nullptr,
                       .scale = 0.2,
                       .softcap = 0.0,
                       .y = y.data(),
                       .lse = nullptr,
                       .kv_batch_stride = 0,
                       .dtype = q.dtype(),
                       .blocks = cache.blocks()};
    ASSERT_TRUE(table.attention(args));
  }
};

TEST(CpuStoreKv, EveryTableStoresTheBytesOfTheReference) {
  for (const DType dtype : kCacheDtypes) {
    Cache expected(2, 70, 3, 64, dtype);
    expected.k.set(40, 1e-30), expected.v.set(7, 0.0);
    for (int64_t i = 64; i < 96; ++i) expected.k.set(i, 0.0);  // a scale of zero
    Cache got = expected;
    expected.store(reference_table());
    for (const KernelTable* table : test::tables()) {
      Cache cache = got;
      cache.store(*table);
      EXPECT_TRUE(cache.keys == expected.keys && cache.values == expected.values)
          << table->name << " " << name_of(dtype);
    }
  }
}

TEST(CpuAttentionBlocks, EveryTableAgreesWithTheReference) {
  struct {
    int64_t batch, tokens, kv_heads, head_dim, queries, group, window;
  } const shapes[] = {{1, 1, 1, 64, 1, 1, 1 << 30},    {2, 150, 2, 32, 1, 3, 1 << 30},
                      {1, 700, 1, 64, 1, 3, 1 << 30},  {1, 1100, 2, 64, 4, 2, 600},
                      {2, 200, 1, 96, 150, 2, 90},     {1, 90, 3, 128, 90, 1, 1 << 30},
                      {1, 1040, 1, 32, 30, 4, 1 << 30}};
  for (const DType dtype : kCacheDtypes) {
    for (const auto& s : shapes) {
      Cache cache(s.batch, s.tokens, s.kv_heads, s.head_dim, dtype);
      cache.store(reference_table());
      Queries expected(cache, s.queries, s.group, s.window, DType::f32);
      Queries got = expected;
      expected.attend(reference_table(), cache);
      for (const KernelTable* table : test::tables()) {
        got.attend(*table, cache);
        test::expect_near(
            got.y, expected.y, 4e-6,
            std::string(table->name) + " " + std::string(name_of(dtype)) + " " + std::to_string(s.tokens));
      }
    }
  }
}

// Heads that fill no vector, and queries in 16 bits over a cache in another dtype.
TEST(CpuAttentionBlocks, OddHeadsAndNarrowQueries) {
  for (const DType dtype : {DType::f32, DType::f16}) {
    Cache cache(1, 130, 2, 20, dtype);
    cache.store(reference_table());
    for (const DType q : {DType::f32, DType::bf16, DType::f16}) {
      Queries expected(cache, 3, 2, 1 << 30, q);
      Queries got = expected;
      expected.attend(reference_table(), cache);
      for (const KernelTable* table : test::tables()) {
        got.attend(*table, cache);
        test::expect_near(got.y, expected.y, 4e-6 + 2.0 * test::rounding(q), table->name);
      }
    }
  }
}

// A token decoded alone has the bits it has in a prompt, whatever the threads.
TEST(CpuAttentionBlocks, DecodingEqualsThePromptBitForBit) {
  for (const KernelTable* table : test::tables()) {
    for (const DType dtype : kCacheDtypes) {
      for (const int64_t window : {int64_t{1} << 30, int64_t{70}}) {
        Cache cache(1, 600, 1, 64, dtype);
        cache.store(*table);
        Queries prompt(cache, 600, 2, window, DType::f32);
        prompt.attend(*table, cache);
        const int64_t row = prompt.heads * cache.head_dim;
        for (const int64_t t : {0, 63, 64, 511, 512, 599}) {
          Cache part = cache;
          part.tokens = t + 1;
          Queries one(part, 1, 2, window, DType::f32);
          for (int64_t i = 0; i < row; ++i) one.q.set(i, prompt.q.at(t * row + i));
          for (const int threads : {1, 3}) {
            const test::ScopedThreads scope(threads);
            one.attend(*table, part);
            for (int64_t i = 0; i < row; ++i) {
              ASSERT_EQ(one.y.at(i), prompt.y.at(t * row + i))
                  << table->name << " " << name_of(dtype) << " t " << t << ", " << threads << " threads";
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace quern::backend
