#include "ops/dropout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace quern::ops {
namespace {

constexpr int64_t kCount = 100'000;

int64_t zeros_of(const Tensor& tensor) { return std::ranges::count(tensor.span<float>(), 0.0f); }

TEST(Dropout, DropsItsShareAndKeepsTheMean) {
  const Tensor x = Tensor::full({kCount}, 3.0);
  const Tensor y = dropout(x, 0.25, 1, 2);
  EXPECT_NEAR(static_cast<double>(zeros_of(y)) / kCount, 0.25, 0.01);
  for (const float value : y.span<float>()) EXPECT_TRUE(value == 0.0f || value == 4.0f);
}

TEST(Dropout, IsAFunctionOfSeedStreamAndIndex) {
  const Tensor x = Tensor::full({kCount}, 1.0);
  const auto differs = [&](const Tensor& a, const Tensor& b) {
    return std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) != 0;
  };
  const Tensor y = dropout(x, 0.5, 1, 2);
  EXPECT_FALSE(differs(y, dropout(x, 0.5, 1, 2)));
  EXPECT_TRUE(differs(y, dropout(x, 0.5, 2, 2)));
  EXPECT_TRUE(differs(y, dropout(x, 0.5, 1, 3)));
  const Tensor head = dropout(x.sliced(0, 1001), 0.5, 1, 2);
  EXPECT_FALSE(differs(head, y.sliced(0, 1001)));
}

TEST(Dropout, OfNothingIsTheInput) {
  const Tensor x = Tensor::full({4}, 1.0);
  EXPECT_EQ(dropout(x, 0.0, 1, 2).raw(), x.raw());
}

}  // namespace
}  // namespace quern::ops
