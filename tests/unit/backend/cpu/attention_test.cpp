#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "kernel_test.h"

namespace quern::backend {
namespace {

using test::PlainArray;

struct Ranges {
  std::vector<int32_t> begin, end;
};
// What each of T queries of B sequences over S keys sees.
Ranges ranges(int64_t batch, int64_t queries, const std::function<std::pair<int64_t, int64_t>(int64_t)>& of) {
  Ranges r;
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t t = 0; t < queries; ++t) {
      r.begin.push_back(static_cast<int32_t>(of(t).first));
      r.end.push_back(static_cast<int32_t>(of(t).second));
    }
  }
  return r;
}
Ranges causal(int64_t batch, int64_t queries, int64_t keys) {
  return ranges(batch, queries,
                [&](int64_t t) { return std::pair<int64_t, int64_t>(0, keys - queries + t + 1); });
}

// One call: its inputs, and what came out.
struct AttentionCase {
  int64_t batch = 1, queries = 1, keys = 1, heads = 1, kv_heads = 1, head_dim = 1;
  DType dtype = DType::f32;
  double softcap = 0.0;
  bool alibi = false;
  int64_t padding = 0;  // keys of a cache beyond `keys`
  Ranges seen{};
  PlainArray q{}, k{}, v{}, y{}, lse{}, dy{}, dq{}, dk{}, dv{};
  std::vector<float> slopes{};

  void fill() {
    const int64_t rows = batch * queries * heads * head_dim,
                  cached = batch * (keys + padding) * kv_heads * head_dim;
    q = PlainArray::random(dtype, rows, 1);
    k = PlainArray::random(dtype, cached, 2);
    v = PlainArray::random(dtype, cached, 3);
    dy = PlainArray::random(dtype, rows, 4);
    for (int64_t h = 0; alibi && h < heads; ++h)
      slopes.push_back(std::exp2f(-0.5f * static_cast<float>(h + 1)));
  }
  AttentionArgs args() {
    return {batch,
            queries,
            keys,
            heads,
            kv_heads,
            head_dim,
            q.data(),
            k.data(),
            v.data(),
            seen.begin.data(),
            seen.end.data(),
            slopes.empty() ? nullptr : slopes.data(),
            1.0 / std::sqrt(static_cast<double>(head_dim)),
            softcap,
            y.data(),
            lse.data(),
            (keys + padding) * kv_heads * head_dim,
            dtype};
  }
  void forward(const KernelTable& table) {
    y = PlainArray(dtype, q.size());
    lse = PlainArray(DType::f32, batch * heads * queries);
    ASSERT_TRUE(table.attention(args()));
  }
  void backward(const KernelTable& table) {
    dq = PlainArray(dtype, q.size());
    dk = PlainArray::random(dtype, batch * keys * kv_heads * head_dim, 5);
    dv = PlainArray::random(dtype, batch * keys * kv_heads * head_dim, 6);
    ASSERT_TRUE(table.attention_backward({args(), dy.data(), dq.data(), dk.data(), dv.data()}));
  }
};

// Forward and backward of every table against the reference.
void check(AttentionCase c, const std::string& name) {
  c.fill();
  AttentionCase expected = c;
  expected.forward(reference_table());
  expected.backward(reference_table());
  for (const KernelTable* table : test::tables()) {
    const std::string what = name + " on " + table->name + ", " + std::string(name_of(c.dtype));
    c.forward(*table);
    const double tolerance = 3e-6 + 2.0 * test::rounding(c.dtype);
    test::expect_near(c.y, expected.y, tolerance, what + ": y");
    test::expect_near(c.lse, expected.lse, 3e-6, what + ": lse");
    c.y = expected.y;
    c.lse = expected.lse;
    c.backward(*table);
    test::expect_near(c.dq, expected.dq, 3.0 * tolerance, what + ": dq", 1.0);
    test::expect_near(c.dk, expected.dk, 3.0 * tolerance, what + ": dk", 1.0);
    test::expect_near(c.dv, expected.dv, 3.0 * tolerance, what + ": dv", 1.0);
  }
}

AttentionCase causal_case(DType dtype) {
  AttentionCase c{
      .batch = 2, .queries = 131, .keys = 131, .heads = 2, .kv_heads = 2, .head_dim = 24, .dtype = dtype};
  c.seen = causal(c.batch, c.queries, c.keys);
  return c;
}

TEST(CpuAttention, CausalInEveryType) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) check(causal_case(dtype), "causal");
}

TEST(CpuAttention, EveryHeadDimension) {
  for (const int64_t dim : {1, 7, 8, 16, 33, 64, 80, 96, 128, 256}) {
    AttentionCase c{.batch = 1, .queries = 19, .keys = 70, .heads = 1, .kv_heads = 1, .head_dim = dim};
    c.seen = causal(1, c.queries, c.keys);
    check(c, "head dimension " + std::to_string(dim));
  }
}

TEST(CpuAttention, GroupedHeadsWithAlibiAndSoftcap) {
  AttentionCase c{.batch = 2,
                  .queries = 40,
                  .keys = 90,
                  .heads = 6,
                  .kv_heads = 2,
                  .head_dim = 20,
                  .softcap = 1.5,
                  .alibi = true};
  c.seen = causal(2, c.queries, c.keys);
  check(c, "grouped");
}

TEST(CpuAttention, WindowsPackedDocumentsBidirectionalAndEmptyRows) {
  using Range = std::pair<int64_t, int64_t>;
  const int64_t count = 200;
  const std::vector<std::pair<std::string, std::function<Range(int64_t)>>> masks = {
      {"window", [](int64_t t) { return Range(std::max<int64_t>(0, t - 36), t + 1); }},
      {"window of one", [](int64_t t) { return Range(t, t + 1); }},
      {"packed",
       [](int64_t t) {
         return Range(t < 13 ? 0 : t < 64 ? 13 : t < 70 ? 64 : 70, t + 1);
       }},
      {"bidirectional", [](int64_t) { return Range(0, 200); }},
      {"late and early", [](int64_t t) { return t % 2 == 0 ? Range(0, 5) : Range(190, 199); }},
      {"every third empty", [](int64_t t) { return t % 3 == 0 ? Range(t, t) : Range(t / 2, t + 1); }},
      {"all empty", [](int64_t) { return Range(0, 0); }}};
  for (const auto& [name, mask] : masks) {
    AttentionCase c{.batch = 1, .queries = count, .keys = count, .heads = 2, .kv_heads = 1, .head_dim = 32};
    c.seen = ranges(1, count, mask);
    check(c, name);
  }
}

TEST(CpuAttention, AnEmptyRowIsZeroWithInfiniteLse) {
  for (const KernelTable* table : test::tables()) {
    AttentionCase c{.queries = 3, .keys = 4, .head_dim = 5};
    c.seen = {{0, 2, 0}, {4, 2, 1}};
    c.fill();
    c.forward(*table);
    for (int64_t d = 5; d < 10; ++d) EXPECT_EQ(c.y.at(d), 0.0);
    EXPECT_EQ(c.lse.at(1), -std::numeric_limits<double>::infinity());
  }
}

// One query at a time over a cache gives the bits of the whole pass, whatever lies beyond the keys.
TEST(CpuAttention, DecodingEqualsTheFullPassBitForBit) {
  for (const KernelTable* table : test::tables()) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      AttentionCase full{
          .batch = 1, .queries = 150, .keys = 150, .heads = 4, .kv_heads = 2, .head_dim = 40, .dtype = dtype};
      full.seen = ranges(1, 150, [](int64_t t) { return std::pair(std::max<int64_t>(0, t - 99), t + 1); });
      full.fill();
      full.forward(*table);
      const int64_t row = full.heads * full.head_dim;
      for (int64_t t = 0; t < full.queries; ++t) {
        AttentionCase one{
            .queries = 1, .keys = t + 1, .heads = 4, .kv_heads = 2, .head_dim = 40, .dtype = dtype};
        one.padding = full.keys - one.keys;
        one.seen = {{full.seen.begin[static_cast<size_t>(t)]}, {full.seen.end[static_cast<size_t>(t)]}};
        one.k = full.k;
        one.v = full.v;
        one.q = PlainArray(dtype, row);
        for (int64_t i = 0; i < row; ++i) one.q.set(i, full.q.at(t * row + i));
        for (int64_t i = (t + 1) * 2 * 40; i < one.k.size(); ++i) one.k.set(i, NAN), one.v.set(i, NAN);
        one.forward(*table);
        for (int64_t i = 0; i < row; ++i) {
          ASSERT_EQ(one.y.at(i), full.y.at(t * row + i))
              << table->name << " " << name_of(dtype) << " t " << t;
        }
      }
    }
  }
}

TEST(CpuAttention, ARowDoesNotDependOnItsBatch) {
  for (const KernelTable* table : test::tables()) {
    AttentionCase both = causal_case(DType::f32);
    both.fill();
    both.forward(*table);
    AttentionCase second = causal_case(DType::f32);
    second.batch = 1;
    const int64_t half = both.q.size() / 2;
    second.fill();
    for (int64_t i = 0; i < half; ++i) {
      second.q.set(i, both.q.at(half + i));
      second.k.set(i, both.k.at(half + i));
      second.v.set(i, both.v.at(half + i));
    }
    second.forward(*table);
    for (int64_t i = 0; i < half; ++i) ASSERT_EQ(second.y.at(i), both.y.at(half + i)) << table->name;
  }
}

TEST(CpuAttention, ResultsDoNotDependOnTheNumberOfThreads) {
  for (const KernelTable* table : test::tables()) {
    std::vector<AttentionCase> results;
    for (const int threads : {1, 2, 3}) {
      const test::ScopedThreads scope(threads);
      AttentionCase c{.batch = 2, .queries = 230, .keys = 230, .heads = 3, .kv_heads = 3, .head_dim = 32};
      c.seen = causal(2, 230, 230);
      c.fill();
      c.forward(*table);
      c.backward(*table);
      results.push_back(c);
    }
    for (const AttentionCase& c : results) {
      EXPECT_EQ(c.y, results[0].y);
      EXPECT_EQ(c.dq, results[0].dq);
      EXPECT_EQ(c.dk, results[0].dk);
      EXPECT_EQ(c.dv, results[0].dv);
    }
  }
}

// A NaN in a key or value reaches the queries that see it and no others.
TEST(CpuAttention, NanReachesOnlyTheQueriesThatSeeIt) {
  for (const KernelTable* table : supported_tables()) {
    for (const bool in_values : {false, true}) {
      AttentionCase c{.queries = 100, .keys = 100, .head_dim = 16};
      c.seen = causal(1, 100, 100);
      c.fill();
      (in_values ? c.v : c.k).set(70 * 16 + 3, NAN);
      c.forward(*table);
      for (int64_t t = 0; t < 100; ++t)
        EXPECT_EQ(std::isnan(c.y.at(t * 16 + 3)), t >= 70) << table->name << " " << t;
    }
  }
}

TEST(CpuAttention, LargeScoresStayFinite) {
  for (const KernelTable* table : test::tables()) {
    AttentionCase c{.queries = 80, .keys = 80, .head_dim = 64};
    c.seen = causal(1, 80, 80);
    c.fill();
    c.q = PlainArray::random(DType::f32, c.q.size(), 1, 1e4);
    c.k = PlainArray::random(DType::f32, c.k.size(), 2, 1e4);
    c.forward(*table);
    for (int64_t i = 0; i < c.y.size(); ++i) ASSERT_TRUE(std::isfinite(c.y.at(i))) << table->name;
  }
}

}  // namespace
}  // namespace quern::backend
