#include "kernel_case.h"

namespace quern::backend {
namespace {

TEST(SumRowsKernel, AgreesWithTheReference) {
  for_each_size([](const KernelTable& table, DType dtype, int64_t cols) {
    for (const int64_t rows : {1, 4, 11}) {
      for (const bool accumulate : {false, true}) {
        const Array x = Array::random(dtype, rows * cols, 1);
        Array out = Array::random(DType::f32, cols, 2), want = out;
        ASSERT_TRUE(table.sum_rows({rows, cols, x.data(), out.data(), accumulate, dtype}));
        reference_table().sum_rows({rows, cols, x.data(), want.data(), accumulate, dtype});
        expect_close(out, want, 5.0);
      }
    }
  });
}

TEST(SumKernel, AgreesWithTheReference) {
  for_each_size([](const KernelTable& table, DType dtype, int64_t size) {
    for (const int64_t count : {size, 13 * size, 13000 + size}) {
      const Array x = Array::random(dtype, count, 1);
      for (const bool squared : {false, true}) {
        double got = -1.0, want = -1.0;
        ASSERT_TRUE(table.sum({count, x.data(), squared, &got, dtype}));
        reference_table().sum({count, x.data(), squared, &want, dtype});
        EXPECT_NEAR(got, want, 1e-12 * static_cast<double>(count));
      }
    }
  });
}

TEST(SumKernel, IsTheSameForEveryInstructionSet) {
  const Array x = Array::random(DType::f32, 123457, 1);
  double scalar = 0.0;
  supported_tables()[1]->sum({x.count(), x.data(), false, &scalar, DType::f32});
  for_each_table([&](const KernelTable& table) {
    double got = 0.0;
    table.sum({x.count(), x.data(), false, &got, DType::f32});
    EXPECT_EQ(got, scalar);
  });
}

TEST(SumKernel, OfNothingIsZero) {
  for_each_table([](const KernelTable& table) {
    double got = -1.0;
    ASSERT_TRUE(table.sum({0, nullptr, false, &got, DType::f32}));
    EXPECT_EQ(got, 0.0);
  });
}

TEST(SumKernel, ThreadsDoNotMatter) {
  expect_same_for_any_threads([](const KernelTable& table, DType dtype) {
    const Array x = Array::random(dtype, 200001, 1);
    std::vector<Array> out = {Array(DType::f64, 1), Array(DType::f32, 285)};
    table.sum({x.count(), x.data(), true, out[0].as<double>(), dtype});
    table.sum_rows({700, 285, x.data(), out[1].data(), false, dtype});
    return out;
  });
}

}  // namespace
}  // namespace quern::backend
