#include "backend/cpu/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "kernel_test.h"

namespace quern::backend {
namespace {

using test::PlainArray;

struct Product {
  int64_t m, n, k;
  bool a_transposed = false, b_transposed = true;
  DType a = DType::f32, b = DType::f32, c = DType::f32;
  bool bias = false, accumulate = false;

  std::string name() const {
    return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) +
           (a_transposed ? " A^T" : "") + (b_transposed ? " B^T " : " ") + std::string(name_of(a)) + " " +
           std::string(name_of(b)) + " " + std::string(name_of(c)) + (bias ? " bias" : "") +
           (accumulate ? " accumulate" : "");
  }
};

PlainArray multiply(bool (*kernel)(const GemmArgs&), const Product& p) {
  const PlainArray a = PlainArray::random(p.a, p.m * p.k, 1), b = PlainArray::random(p.b, p.k * p.n, 2);
  const PlainArray bias = PlainArray::random(DType::f32, p.n, 3);
  PlainArray c = PlainArray::random(p.c, p.m * p.n, 4);
  EXPECT_TRUE(kernel({p.m, p.n, p.k, a.data(), p.a, p.a_transposed, b.data(), p.b, p.b_transposed, c.data(),
                      p.c, p.bias ? bias.data() : nullptr, p.accumulate}))
      << p.name();
  return c;
}

// The different kernels of the tables of this CPU.
std::vector<bool (*)(const GemmArgs&)> kernels() {
  std::vector<bool (*)(const GemmArgs&)> all;
  for (const KernelTable* table : test::tables()) {
    if (std::ranges::find(all, table->gemm) == all.end()) all.push_back(table->gemm);
  }
  return all;
}

void check(const Product& p) {
  const test::ScopedThreads scope(1);
  const double tolerance = 2.0 * test::rounding(p.c) + 1e-5;
  const PlainArray expected = multiply(reference_table().gemm, p);
  for (auto* kernel : kernels()) test::expect_near(multiply(kernel, p), expected, tolerance, p.name());
}

TEST(CpuGemm, EveryLayoutBiasAndAccumulationOfOddSizes) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (int flags = 0; flags < 16; ++flags) {
      Product p{.m = 37, .n = 53, .k = 71, .a = dtype, .b = dtype, .c = dtype};
      p.a_transposed = (flags & 1) != 0;
      p.b_transposed = (flags & 2) != 0;
      p.bias = (flags & 4) != 0;
      p.accumulate = (flags & 8) != 0;
      check(p);
    }
  }
}

TEST(CpuGemm, SizesAroundTiles) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const int64_t m : {1, 31, 65}) {
      for (const int64_t n : {1, 64, 129}) {
        for (const int64_t k : {1, 33, 64}) {
          for (int layout = 0; layout < 4; ++layout) {
            check({m, n, k, (layout & 1) != 0, (layout & 2) != 0, dtype, dtype, dtype});
          }
        }
      }
    }
  }
}

TEST(CpuGemm, EveryMixOfTypes) {
  const DType types[] = {DType::f32, DType::bf16, DType::f16};
  for (const DType a : types) {
    for (const DType b : types) {
      for (const DType c : types) {
        check({33, 40, 64, false, true, a, b, c, true, true});
        check({33, 40, 64, true, false, a, b, c, false, true});
      }
    }
  }
}

TEST(CpuGemm, LongSumsOfWeightGradients) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const int64_t k : {2047, 2048, 2049, 5000}) {
      check({24, 40, k, true, false, dtype, dtype, DType::f32, true, true});
      check({24, 40, k, true, true, dtype, dtype, DType::f32});
      check({24, 40, k, false, true, dtype, dtype, DType::f32, true});
    }
  }
}

TEST(CpuGemm, RowsThatShareCacheSets) { check({64, 3072, 32, false, false}); }

TEST(CpuGemm, MoreThanOnePackingHolds) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    check({33, 1101, 200, false, true, dtype, dtype, dtype, true});
    check({1101, 35, 200, true, false, dtype, dtype, DType::f32, false, true});
    check({40, 290, 1600, true, false, dtype, dtype, dtype, true, true});
  }
  check({290, 1101, 1600, false, true, DType::f32, DType::bf16, DType::f32, true});
  check({1101, 35, 200, true, false, DType::f16, DType::f32, DType::f32, false, true});
}

// A float is the sum of parts where products are of narrower types: powers of two must bring all of its bits back.
TEST(CpuGemm, MixedTypesLoseNoBits) {
  const float greatest = std::numeric_limits<float>::max(), infinity = std::numeric_limits<float>::infinity();
  std::vector<float> values = {1.0f,        -1.0f / 3.0f, 1.0f + 0x1p-23f, 2.0f - 0x1p-23f,
                               0x1.8081p0f, 65504.0f,     greatest,        -greatest,
                               infinity,    -infinity,    1e-30f,          0.0f};
  const int64_t m = static_cast<int64_t>(values.size()), n = 3;
  PlainArray x(DType::f32, m), y(DType::f32, m * n);
  for (int64_t i = 0; i < m; ++i) x.set(i, values[static_cast<size_t>(i)]);
  for (const DType w_dtype : {DType::bf16, DType::f16}) {
    PlainArray w(w_dtype, n);
    for (int64_t j = 0; j < n; ++j) w.set(j, std::ldexp(j == 1 ? -1.0 : 1.0, static_cast<int>(-j)));
    for (auto* kernel : kernels()) {
      ASSERT_TRUE(kernel({m, n, 1, x.data(), DType::f32, false, w.data(), w_dtype, true, y.data(), DType::f32,
                          nullptr, false}));
      for (int64_t i = 0; i < m * n; ++i) {
        const double expected = x.at(i / n) * w.at(i % n);
        if (std::isinf(expected) && w_dtype == DType::f16) {
          EXPECT_FALSE(std::isfinite(y.at(i)));
        } else {
          EXPECT_EQ(y.at(i), expected);
        }
      }
    }
  }
}

TEST(CpuGemm, ResultsDoNotDependOnTheNumberOfThreads) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (const Product& p : {Product{70, 90, 300, false, true, dtype, dtype, dtype, true, true},
                             Product{256, 48, 2304, true, false, dtype, dtype, DType::f32, false, true},
                             Product{70, 90, 300, false, true, DType::f32, dtype, DType::f32},
                             Product{3, 700, 129, false, false, dtype, dtype, dtype}}) {
      for (auto* kernel : kernels()) {
        std::vector<PlainArray> results;
        for (const int threads : {1, 2, 5}) {
          const test::ScopedThreads scope(threads);
          results.push_back(multiply(kernel, p));
        }
        EXPECT_EQ(results[0], results[1]) << p.name();
        EXPECT_EQ(results[0], results[2]) << p.name();
      }
    }
  }
}

// What a row of x holds must not leak into the others, whatever k is padded to.
TEST(CpuGemm, NanStaysInItsRow) {
  for (const auto& [dtype, w_dtype] :
       {std::pair{DType::f32, DType::f32}, {DType::bf16, DType::bf16}, {DType::f32, DType::bf16}}) {
    const int64_t m = 40, n = 33, k = 45;
    PlainArray x = PlainArray::random(dtype, m * k, 1), y(dtype, m * n);
    const PlainArray w = PlainArray::random(w_dtype, n * k, 2);
    for (int64_t i = 0; i < k; ++i) x.set(7 * k + i, std::nan(""));
    for (auto* kernel : kernels()) {
      ASSERT_TRUE(kernel(
          {m, n, k, x.data(), dtype, false, w.data(), w_dtype, true, y.data(), dtype, nullptr, false}));
      for (int64_t i = 0; i < m * n; ++i)
        EXPECT_EQ(std::isnan(y.at(i)), i / n == 7) << name_of(dtype) << " " << i;
    }
  }
}

TEST(CpuGemm, DeclinesWhatItDoesNotDo) {
  double x = 1.0, y = 0.0;
  EXPECT_FALSE(
      cpu::gemm({1, 1, 1, &x, DType::f64, false, &x, DType::f64, false, &y, DType::f64, nullptr, false}));
  float a = 1.0f, c = 0.0f;
  EXPECT_FALSE(
      cpu::gemm({1, 1, 0, &a, DType::f32, false, &a, DType::f32, false, &c, DType::f32, nullptr, false}));
  EXPECT_TRUE(
      cpu::gemm({0, 1, 1, &a, DType::f32, false, &a, DType::f32, false, &c, DType::f32, nullptr, false}));
}

}  // namespace
}  // namespace quern::backend
