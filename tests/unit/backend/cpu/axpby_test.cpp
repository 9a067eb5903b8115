#include <bit>
#include <limits>

#include "kernel_case.h"

namespace quern::backend {
namespace {

TEST(AxpbyKernel, AgreesWithTheReference) {
  for_each_size([](const KernelTable& table, DType x_dtype, int64_t count) {
    const Array x = Array::random(x_dtype, count, 1);
    for (const DType y_dtype : kDTypes) {
      for (const double beta : {0.0, 1.0, -0.5}) {
        Array y = Array::random(y_dtype, count, 2), want = y;
        ASSERT_TRUE(table.axpby({count, 1.25, beta, x.data(), x_dtype, y.data(), y_dtype}));
        reference_table().axpby({count, 1.25, beta, x.data(), x_dtype, want.data(), y_dtype});
        expect_close(y, want, 1.0);
      }
    }
  });
}

// Every f32 whose lower half is a tie, just beside one, or of a NaN; one pattern per exponent and upper
// mantissa bit.
std::vector<float> rounding_cases() {
  std::vector<float> values;
  for (uint32_t upper = 0; upper < 0x10000; upper += 3) {
    for (const uint32_t lower :
         {0x0000u, 0x0001u, 0x0fffu, 0x1000u, 0x1001u, 0x3000u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      values.push_back(std::bit_cast<float>((upper << 16) | lower));
    }
  }
  return values;
}

TEST(AxpbyKernel, CastsRoundAsTheTypesDo) {
  const std::vector<float> values = rounding_cases();
  const int64_t count = static_cast<int64_t>(values.size());
  for_each_table([&](const KernelTable& table) {
    Array narrow(DType::bf16, count), half(DType::f16, count);
    ASSERT_TRUE(table.axpby({count, 1.0, 0.0, values.data(), DType::f32, narrow.data(), DType::bf16}));
    ASSERT_TRUE(table.axpby({count, 1.0, 0.0, values.data(), DType::f32, half.data(), DType::f16}));
    for (int64_t i = 0; i < count; ++i) {
      const float value = values[static_cast<size_t>(i)];
      if (std::isnan(value)) {
        ASSERT_TRUE(std::isnan(narrow[i]) && std::isnan(half[i]));
      } else {
        ASSERT_EQ(narrow.as<uint16_t>()[i], bfloat16(value).bits) << value;
        ASSERT_EQ(half.as<uint16_t>()[i], float16(value).bits) << value;
      }
    }
  });
}

TEST(AxpbyKernel, WideningIsExactForEveryPattern) {
  std::vector<uint16_t> patterns(0x10000);
  for (size_t i = 0; i < patterns.size(); ++i) patterns[i] = static_cast<uint16_t>(i);
  const int64_t count = static_cast<int64_t>(patterns.size());
  for_each_table([&](const KernelTable& table) {
    for (const DType dtype : {DType::bf16, DType::f16}) {
      Array wide(DType::f32, count), want = wide;
      ASSERT_TRUE(table.axpby({count, 1.0, 0.0, patterns.data(), dtype, wide.data(), DType::f32}));
      for (int64_t i = 0; i < count; ++i) {
        bfloat16 b;
        float16 h;
        b.bits = h.bits = patterns[static_cast<size_t>(i)];
        const float value = dtype == DType::bf16 ? static_cast<float>(b) : static_cast<float>(h);
        if (std::isnan(value)) {
          ASSERT_TRUE(std::isnan(wide[i]));
        } else {
          ASSERT_EQ(std::bit_cast<uint32_t>(wide.as<float>()[i]), std::bit_cast<uint32_t>(value)) << i;
        }
      }
    }
  });
}

TEST(AxpbyKernel, BetaZeroIgnoresWhatYHeld) {
  for_each_table([](const KernelTable& table) {
    const Array x = Array::random(DType::f32, 33, 1);
    Array y(DType::f32, 33);
    for (int64_t i = 0; i < 33; ++i) y.set(i, std::nan(""));
    ASSERT_TRUE(table.axpby({33, 1.0, 0.0, x.data(), DType::f32, y.data(), DType::f32}));
    EXPECT_TRUE(y == x);
  });
}

TEST(AxpbyKernel, ThreadsDoNotMatter) {
  constexpr int64_t kCount = 150001;
  expect_same_for_any_threads([](const KernelTable& table, DType dtype) {
    const Array x = Array::random(dtype, kCount, 1);
    std::vector<Array> out(1, Array::random(DType::f32, kCount, 2));
    table.axpby({kCount, 0.3, 0.7, x.data(), dtype, out[0].data(), DType::f32});
    return out;
  });
}

}  // namespace
}  // namespace quern::backend
