#include "kernel_case.h"

namespace quern::backend {
namespace {

TEST(SoftmaxKernel, AgreesWithTheReference) {
  for_each_size([](const KernelTable& table, DType dtype, int64_t cols) {
    for (const double scale : {1.0, 20.0}) {
      const Array x = Array::random(dtype, 4 * cols, 1, scale), dy = Array::random(dtype, 4 * cols, 2);
      Array y(dtype, 4 * cols), want = y, dx = y, dx_want = y;
      ASSERT_TRUE(table.softmax({4, cols, x.data(), y.data(), dtype}));
      reference_table().softmax({4, cols, x.data(), want.data(), dtype});
      expect_close(y, want, 1e-3);
      ASSERT_TRUE(table.softmax_backward({4, cols, want.data(), dy.data(), dx.data(), dtype}));
      reference_table().softmax_backward({4, cols, want.data(), dy.data(), dx_want.data(), dtype});
      expect_close(dx, dx_want, 0.1);
    }
  });
}

TEST(SoftmaxKernel, MaskedColumnsGetZeroAndLargeOnesDoNotOverflow) {
  for_each_dtype([](const KernelTable& table, DType dtype) {
    Array x(dtype, 20), y(dtype, 20);
    for (int64_t i = 0; i < 20; ++i) x.set(i, i < 4 ? 30000.0 : -INFINITY);
    ASSERT_TRUE(table.softmax({1, 20, x.data(), y.data(), dtype}));
    for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(y[i], i < 4 ? 0.25 : 0.0) << i;
  });
}

TEST(SoftmaxKernel, ANanSpoilsItsRowAlone) {
  for_each_dtype([](const KernelTable& table, DType dtype) {
    for (const int64_t where : {0, 5, 32}) {
      Array x = Array::random(dtype, 66, 1), y(dtype, 66);
      x.set(where, std::nan(""));
      ASSERT_TRUE(table.softmax({2, 33, x.data(), y.data(), dtype}));
      for (int64_t i = 0; i < 66; ++i) EXPECT_EQ(std::isnan(y[i]), i < 33) << i;
    }
  });
}

TEST(SoftmaxKernel, ThreadsDoNotMatter) {
  constexpr int64_t kRows = 1500, kCols = 100;
  expect_same_for_any_threads([](const KernelTable& table, DType dtype) {
    const Array x = Array::random(dtype, kRows * kCols, 1);
    std::vector<Array> out(2, Array(dtype, kRows * kCols));
    table.softmax({kRows, kCols, x.data(), out[0].data(), dtype});
    table.softmax_backward({kRows, kCols, out[0].data(), x.data(), out[1].data(), dtype});
    return out;
  });
}

}  // namespace
}  // namespace quern::backend
