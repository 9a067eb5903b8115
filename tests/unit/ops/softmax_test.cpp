#include "ops/softmax.h"

#include <gtest/gtest.h>

#include <vector>

namespace quern::ops {
namespace {

TEST(Softmax, SurvivesLargeLogits) {
  const Tensor y = softmax(Tensor::from(std::vector<float>{1e30f, -1e30f, 1e30f, 0.0f}, {1, 4}));
  EXPECT_FLOAT_EQ(y.data<float>()[0], 0.5f);
  EXPECT_FLOAT_EQ(y.data<float>()[1], 0.0f);
  EXPECT_FLOAT_EQ(y.data<float>()[2], 0.5f);
}

}  // namespace
}  // namespace quern::ops
