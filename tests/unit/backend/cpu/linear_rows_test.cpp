#include <gtest/gtest.h>

#include "kernel_test.h"

namespace quern::backend {
namespace {

using test::PlainArray;

struct Layer {
  int64_t n, k;
  DType dtype = DType::f32, w_dtype = DType::f32;
  bool bias = false;

  PlainArray inputs(int64_t m) const { return PlainArray::random(dtype, m * k, 1); }
  PlainArray apply(const KernelTable& table, int64_t m, const PlainArray& x) const {
    const PlainArray w = PlainArray::random(w_dtype, n * k, 2), b = PlainArray::random(DType::f32, n, 3);
    PlainArray y(dtype, m * n);
    EXPECT_TRUE(table.linear_rows(
        {m, n, k, x.data(), w.data(), bias ? b.data() : nullptr, y.data(), dtype, w_dtype}));
    return y;
  }
};

TEST(CpuLinearRows, EverySizeAgainstTheReference) {
  for (const KernelTable* table : test::tables()) {
    for (const int64_t m : {1, 2, 5, 6, 7, 16, 61}) {
      for (const int64_t n : {1, 3, 4, 41}) {
        for (const int64_t k : {1, 8, 15, 16, 33, 200}) {
          const Layer layer{n, k, DType::f32, DType::f32, true};
          const PlainArray x = layer.inputs(m);
          test::expect_near(layer.apply(*table, m, x), layer.apply(reference_table(), m, x), 1e-5,
                            std::string(table->name) + " " + std::to_string(m) + "x" + std::to_string(n) +
                                "x" + std::to_string(k));
        }
      }
    }
  }
}

TEST(CpuLinearRows, EveryMixOfTypes) {
  for (const KernelTable* table : test::tables()) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      for (const DType w_dtype : {DType::f32, DType::bf16, DType::f16}) {
        const Layer layer{21, 77, dtype, w_dtype, true};
        const PlainArray x = layer.inputs(9);
        test::expect_near(layer.apply(*table, 9, x), layer.apply(reference_table(), 9, x),
                          2.0 * test::rounding(dtype) + 1e-5,
                          std::string(table->name) + " " + std::string(name_of(dtype)) + " " +
                              std::string(name_of(w_dtype)));
      }
    }
  }
}

TEST(CpuLinearRows, ARowDoesNotDependOnItsBatchMatesOrOnThreads) {
  for (const KernelTable* table : test::tables()) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      const Layer layer{301, 101, dtype, DType::bf16, true};
      const int64_t m = 59;
      const PlainArray x = layer.inputs(m);
      const PlainArray together = layer.apply(*table, m, x);
      for (const int threads : {1, 3}) {
        const test::ScopedThreads scope(threads);
        for (const int64_t r : {0, 5, 6, 47, 48, 58}) {
          PlainArray row(dtype, layer.k);
          for (int64_t i = 0; i < layer.k; ++i) row.set(i, x.at(r * layer.k + i));
          const PlainArray alone = layer.apply(*table, 1, row);
          for (int64_t j = 0; j < layer.n; ++j) {
            ASSERT_EQ(alone.at(j), together.at(r * layer.n + j))
                << table->name << " row " << r << " column " << j;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace quern::backend
