// Inference gives a row the same bits in any company: alone, in a batch, whole or in pieces, on every kernel
// table.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "backend/api/backend.h"
#include "ops/activation.h"
#include "ops/attention.h"
#include "ops/kv_store.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/softmax.h"
#include "support/op_rows/op_row.h"

namespace quern::ops {
namespace {

using RowOp = std::function<Tensor(const Tensor& rows)>;

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

class BatchInvarianceTest : public ::testing::TestWithParam<DType> {
 protected:
  Rng rng_{5, 0};

  // op(x) against op of each piece of `piece` rows of x, on every table.
  static void expect_invariant(const Tensor& x, const RowOp& op, int64_t piece = 1) {
    for (const backend::KernelTable* table : backend::supported_tables()) {
      SCOPED_TRACE(table->name);
      const backend::ScopedTable scope(*table);
      const Tensor whole = op(x);
      for (int64_t begin = 0; begin < x.dim(0); begin += piece) {
        const int64_t end = std::min(begin + piece, x.dim(0));
        EXPECT_TRUE(same_bits(whole.sliced(begin, end), op(x.sliced(begin, end)))) << "row " << begin;
      }
    }
  }
};

TEST_P(BatchInvarianceTest, LinearOfFewRows) {
  const Tensor w = rows::random(rng_, {67, 203}, GetParam()), bias = rows::random(rng_, {67}, DType::f32);
  const Tensor x = rows::random(rng_, {kInvariantRows, 203}, GetParam());
  expect_invariant(x, [&](const Tensor& part) { return linear(part, w, bias); });
}

TEST_P(BatchInvarianceTest, LinearOfAnyRowsOnRequest) {
  const Tensor w = rows::random(rng_, {67, 203}, GetParam()), bias = rows::random(rng_, {67}, DType::f32);
  const Tensor x = rows::random(rng_, {71, 203}, GetParam());
  const BatchInvariant invariant;
  expect_invariant(x, [&](const Tensor& part) { return linear(part, w, bias); });
  expect_invariant(
      x, [&](const Tensor& part) { return linear(part, w, bias); }, 13);
}

TEST_P(BatchInvarianceTest, NormActivationSoftmax) {
  const Tensor x = rows::random(rng_, {5, 37}, GetParam());
  const Tensor weight = rows::random(rng_, {37}, DType::f32);
  expect_invariant(x, [&](const Tensor& part) { return norm(NormKind::layer, part, weight, weight, 1e-5); });
  expect_invariant(x, [&](const Tensor& part) { return norm(NormKind::rms, part, weight, {}, 1e-5); });
  expect_invariant(x, [&](const Tensor& part) { return activation(Activation::gelu_tanh, part); });
  expect_invariant(x, [&](const Tensor& part) { return gated(Activation::silu, part, part); });
  expect_invariant(x, [&](const Tensor& part) { return softmax(part); });
}

// Queries of one sequence of 75 tokens in pieces against its whole cache of keys, as chunked prefill and
// decoding do.
TEST_P(BatchInvarianceTest, AttentionInPieces) {
  constexpr int64_t kTokens = 75, kHeads = 4, kHeadDim = 20;
  const Tensor k = rows::random(rng_, {1, kTokens, 2, kHeadDim}, GetParam());
  const Tensor v = rows::random(rng_, {1, kTokens, 2, kHeadDim}, GetParam());
  const Tensor q = rows::random(rng_, {kTokens, kHeads, kHeadDim}, GetParam());
  for (const int64_t window : {0, 17}) {
    const AttentionMask mask = causal_mask(1, kTokens, {.window = window});
    const auto attend = [&](const Tensor& part) {
      const int64_t queries = part.dim(0);
      // The rows of the mask that belong to the part: found by where its elements lie.
      const int64_t begin = (static_cast<std::byte*>(part.raw()) - static_cast<std::byte*>(q.raw())) /
                            (kHeads * kHeadDim * size_of(q.dtype()));
      const auto rows_of = [&](const Tensor& ints) {
        return ints.reshaped({kTokens}).sliced(begin, begin + queries).reshaped({1, queries});
      };
      return attention(part.reshaped({1, queries, kHeads, kHeadDim}), k, v,
                       {rows_of(mask.begin), rows_of(mask.end)})
          .reshaped({queries, kHeads, kHeadDim});
    };
    for (const int64_t piece : {1, 8, 32}) {
      SCOPED_TRACE("window " + std::to_string(window) + ", pieces of " + std::to_string(piece));
      expect_invariant(q, attend, piece);
    }
  }
}

// Queries over a cache of several chunks, with a bias: together, and one by one.
TEST_P(BatchInvarianceTest, AttentionWithABiasOverACache) {
  constexpr int64_t kTokens = 600, kHeads = 4, kHeadDim = 16;  // more than one chunk of keys
  const Tensor k = rows::random(rng_, {1, kTokens, 2, kHeadDim}, GetParam());
  const Tensor v = rows::random(rng_, {1, kTokens, 2, kHeadDim}, GetParam());
  const Tensor q = rows::random(rng_, {1, 5, kHeads, kHeadDim}, GetParam());
  const Tensor bias = rows::random(rng_, {1, kHeads, 5, kTokens}, DType::f32);
  Tensor table({1, 10}, DType::i32), positions({1, kTokens}, DType::i32);
  for (int32_t i = 0; i < 10; ++i) table.data<int32_t>()[i] = 9 - i;
  for (int32_t i = 0; i < kTokens; ++i) positions.data<int32_t>()[i] = i;
  const KvStore store = KvStore::create(10, 2, kHeadDim, GetParam(), table);
  store_kv(store, k, v, positions);
  const AttentionMask mask = causal_mask(1, 5, {.past = kTokens - 5});
  for (const backend::KernelTable* kernels : backend::supported_tables()) {
    SCOPED_TRACE(kernels->name);
    const backend::ScopedTable scope(*kernels);
    const Tensor whole = attention(q, store, mask, {.bias = bias});
    for (int64_t t = 0; t < 5; ++t) {
      Tensor row({1, kHeads, 1, kTokens}, DType::f32);
      for (int64_t h = 0; h < kHeads; ++h) {
        std::memcpy(row.data<float>() + h * kTokens, bias.data<float>() + (h * 5 + t) * kTokens,
                    static_cast<size_t>(kTokens) * sizeof(float));
      }
      const Tensor one =
          attention(q.reshaped({5, kHeads, kHeadDim}).sliced(t, t + 1).reshaped({1, 1, kHeads, kHeadDim}),
                    store, causal_mask(1, 1, {.past = kTokens - 5 + t}), {.bias = row});
      const Tensor expected = whole.reshaped({5, kHeads, kHeadDim}).sliced(t, t + 1);
      EXPECT_TRUE(same_bits(expected.reshaped(one.shape()), one)) << "query " << t;
    }
  }
}

// A cache has room for keys that no query sees yet; how much must not matter.
TEST_P(BatchInvarianceTest, AttentionInALargerCache) {
  const Tensor q = rows::random(rng_, {1, 9, 4, 20}, GetParam());
  const Tensor cache = rows::random(rng_, {1, 90, 2, 20}, GetParam());
  const Tensor head = cache.reshaped({90, 40}).sliced(0, 9).reshaped({1, 9, 2, 20});
  for (const backend::KernelTable* table : backend::supported_tables()) {
    SCOPED_TRACE(table->name);
    const backend::ScopedTable scope(*table);
    const AttentionMask mask = causal_mask(1, 9);
    EXPECT_TRUE(same_bits(attention(q, head, head, mask), attention(q, cache, cache, mask)));
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, BatchInvarianceTest, ::testing::Values(DType::f32, DType::bf16, DType::f16),
                         [](const auto& dtype) { return std::string(name_of(dtype.param)); });

}  // namespace
}  // namespace quern::ops
