#include "kernel_case.h"

namespace quern::backend {
namespace {

TEST(BinaryKernel, AgreesWithTheReference) {
  for_each_size([](const KernelTable& table, DType dtype, int64_t size) {
    for (const int64_t repeats : {1, 2, 5}) {
      const int64_t count = size * repeats;
      const Array a = Array::random(dtype, count, 1), b = Array::random(dtype, size, 2);
      for (const Binary kind : {Binary::add, Binary::sub, Binary::mul}) {
        Array y(dtype, count), want = y;
        ASSERT_TRUE(table.binary({kind, count, size, a.data(), b.data(), y.data(), dtype}));
        reference_table().binary({kind, count, size, a.data(), b.data(), want.data(), dtype});
        expect_close(y, want);
      }
    }
  });
}

TEST(BinaryKernel, WorksInPlace) {
  for_each_dtype([](const KernelTable& table, DType dtype) {
    Array y = Array::random(dtype, 100, 1), want = y;
    const Array a = y, b = Array::random(dtype, 10, 2);
    ASSERT_TRUE(table.binary({Binary::mul, 100, 10, y.data(), b.data(), y.data(), dtype}));
    reference_table().binary({Binary::mul, 100, 10, a.data(), b.data(), want.data(), dtype});
    expect_close(y, want);
  });
}

TEST(BinaryKernel, ThreadsDoNotMatter) {
  constexpr int64_t kCols = 700, kCount = kCols * 301;
  expect_same_for_any_threads([](const KernelTable& table, DType dtype) {
    const Array a = Array::random(dtype, kCount, 1), b = Array::random(dtype, kCols, 2);
    std::vector<Array> out(1, Array(dtype, kCount));
    table.binary({Binary::add, kCount, kCols, a.data(), b.data(), out[0].data(), dtype});
    return out;
  });
}

}  // namespace
}  // namespace quern::backend
