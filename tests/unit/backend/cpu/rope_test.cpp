#include "kernel_case.h"

namespace quern::backend {
namespace {

constexpr int64_t kRows = 5, kHeads = 3, kPositions = 20;
constexpr int32_t kAt[kRows] = {0, 7, 19, 3, 3};

struct RopeCase {
  int64_t head_dim, rotary;
  Array cos, sin;

  RopeCase(int64_t dim, int64_t rotated)
      : head_dim(dim), rotary(rotated), cos(DType::f32, kPositions * rotated / 2), sin(cos) {
    for (int64_t i = 0; i < cos.count(); ++i) {
      cos.set(i, std::cos(0.37 * static_cast<double>(i)));
      sin.set(i, std::sin(0.37 * static_cast<double>(i)));
    }
  }
  RopeArgs args(const void* x, void* y, DType dtype, bool half_split, bool inverse, int64_t rows = kRows,
                const int32_t* positions = kAt) const {
    return {.rows = rows,
            .heads = kHeads,
            .head_dim = head_dim,
            .rotary = rotary,
            .positions = positions,
            .cos = cos.as<float>(),
            .sin = sin.as<float>(),
            .half_split = half_split,
            .inverse = inverse,
            .x = x,
            .y = y,
            .dtype = dtype};
  }
};

TEST(RopeKernel, AgreesWithTheReference) {
  for_each_dtype([](const KernelTable& table, DType dtype) {
    for (const int64_t rotary : {2, 6, 14, 16, 18, 30, 32, 34, 64, 66, 128}) {
      for (const int64_t beyond : {0, 5}) {
        const RopeCase c(rotary + beyond, rotary);
        const Array x = Array::random(dtype, kRows * kHeads * c.head_dim, 1);
        for (const bool half_split : {true, false}) {
          for (const bool inverse : {true, false}) {
            SCOPED_TRACE("rotary " + std::to_string(rotary) + (half_split ? " half-split" : " adjacent"));
            Array y(dtype, x.count()), want = y;
            ASSERT_TRUE(table.rope(c.args(x.data(), y.data(), dtype, half_split, inverse)));
            reference_table().rope(c.args(x.data(), want.data(), dtype, half_split, inverse));
            expect_close(y, want, 1.0);
          }
        }
      }
    }
  });
}

TEST(RopeKernel, WorksInPlace) {
  for_each_dtype([](const KernelTable& table, DType dtype) {
    const RopeCase c(64, 40);
    for (const bool half_split : {true, false}) {
      const Array x = Array::random(dtype, kRows * kHeads * 64, 1);
      Array y(dtype, x.count()), in_place = x;
      ASSERT_TRUE(table.rope(c.args(x.data(), y.data(), dtype, half_split, false)));
      ASSERT_TRUE(table.rope(c.args(in_place.data(), in_place.data(), dtype, half_split, false)));
      EXPECT_TRUE(in_place == y);
    }
  });
}

TEST(RopeKernel, ThreadsDoNotMatter) {
  const RopeCase c(64, 64);
  constexpr int64_t kMany = 700;
  std::vector<int32_t> positions;
  for (int64_t i = 0; i < kMany; ++i) positions.push_back(static_cast<int32_t>(i % kPositions));
  expect_same_for_any_threads([&](const KernelTable& table, DType dtype) {
    const Array x = Array::random(dtype, kMany * kHeads * 64, 1);
    std::vector<Array> out(1, Array(dtype, x.count()));
    table.rope(c.args(x.data(), out[0].data(), dtype, true, false, kMany, positions.data()));
    return out;
  });
}

}  // namespace
}  // namespace quern::backend
