#include "kernel_case.h"

namespace quern::backend {
namespace {

TEST(DropoutKernel, KeepsWhatTheReferenceKeeps) {
  for_each_size([](const KernelTable& table, DType dtype, int64_t count) {
    const Array x = Array::random(dtype, count, 1);
    for (const double p : {0.0, 0.1, 0.5, 0.999}) {
      Array y(dtype, count), want = y;
      const uint64_t seed = 0x1234567890abcdef, stream = 0xfedcba0987654321;
      ASSERT_TRUE(table.dropout({count, p, seed, stream, x.data(), y.data(), dtype}));
      reference_table().dropout({count, p, seed, stream, x.data(), want.data(), dtype});
      expect_close(y, want);
      for (int64_t i = 0; i < count; ++i) ASSERT_EQ(y[i] == 0.0, want[i] == 0.0) << i;
    }
  });
}

TEST(DropoutKernel, WhatFallsIsZeroEvenWhenItWasNotFinite) {
  for_each_dtype([](const KernelTable& table, DType dtype) {
    Array x(dtype, 64), y(dtype, 64);
    for (int64_t i = 0; i < 64; ++i) x.set(i, i % 2 == 0 ? std::nan("") : INFINITY);
    ASSERT_TRUE(table.dropout({64, 0.5, 1, 2, x.data(), y.data(), dtype}));
    int64_t zeros = 0;
    for (int64_t i = 0; i < 64; ++i) zeros += y[i] == 0.0;
    EXPECT_GT(zeros, 16);
    EXPECT_LT(zeros, 48);
  });
}

TEST(DropoutKernel, ThreadsDoNotMatter) {
  constexpr int64_t kCount = 50001;
  expect_same_for_any_threads([](const KernelTable& table, DType dtype) {
    const Array x = Array::random(dtype, kCount, 1);
    std::vector<Array> out(1, Array(dtype, kCount));
    table.dropout({kCount, 0.3, 5, 6, x.data(), out[0].data(), dtype});
    return out;
  });
}

}  // namespace
}  // namespace quern::backend
