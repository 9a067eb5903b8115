#include "kernel_case.h"

namespace quern::backend {
namespace {

constexpr int64_t kVocab = 11;

// Some ids often, some never.
std::vector<int32_t> some_ids(int64_t count) {
  std::vector<int32_t> ids;
  Rng rng(3, 4);
  for (int64_t i = 0; i < count; ++i) ids.push_back(static_cast<int32_t>(rng.below(4) * rng.below(4)));
  return ids;
}

TEST(EmbeddingKernel, AgreesWithTheReference) {
  const std::vector<int32_t> ids = some_ids(9);
  for_each_size([&](const KernelTable& table, DType dtype, int64_t cols) {
    for (const DType w_dtype : kDTypes) {
      const Array w = Array::random(w_dtype, kVocab * cols, 1);
      Array y(dtype, 9 * cols), want = y;
      ASSERT_TRUE(table.embedding({9, cols, kVocab, ids.data(), w.data(), w_dtype, y.data(), dtype}));
      reference_table().embedding({9, cols, kVocab, ids.data(), w.data(), w_dtype, want.data(), dtype});
      expect_close(y, want);
    }
  });
}

TEST(EmbeddingBackwardKernel, AgreesWithTheReference) {
  const std::vector<int32_t> ids = some_ids(50);
  for_each_size([&](const KernelTable& table, DType dtype, int64_t cols) {
    const Array dy = Array::random(dtype, 50 * cols, 1);
    Array dw = Array::random(DType::f32, kVocab * cols, 2), want = dw;
    ASSERT_TRUE(table.embedding_backward({50, cols, kVocab, ids.data(), dy.data(), dtype, dw.data()}));
    reference_table().embedding_backward({50, cols, kVocab, ids.data(), dy.data(), dtype, want.data()});
    EXPECT_TRUE(dw.guards_intact());
    EXPECT_TRUE(dw == want) << "the order of additions is part of the contract";
  });
}

TEST(EmbeddingKernel, ThreadsDoNotMatter) {
  constexpr int64_t kCount = 1200, kCols = 200;
  const std::vector<int32_t> ids = some_ids(kCount);
  expect_same_for_any_threads([&](const KernelTable& table, DType dtype) {
    const Array w = Array::random(DType::f32, kVocab * kCols, 1),
                dy = Array::random(dtype, kCount * kCols, 2);
    std::vector<Array> out = {Array(dtype, kCount * kCols), w};
    table.embedding({kCount, kCols, kVocab, ids.data(), w.data(), DType::f32, out[0].data(), dtype});
    table.embedding_backward({kCount, kCols, kVocab, ids.data(), dy.data(), dtype, out[1].data()});
    return out;
  });
}

}  // namespace
}  // namespace quern::backend
