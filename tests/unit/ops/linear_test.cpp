#include "ops/linear.h"

#include <gtest/gtest.h>

#include "autograd/graph.h"
#include "backend/api/backend.h"
#include "support/op_rows/op_row.h"

namespace quern::ops {
namespace {

void expect_same_rows(const Tensor& all, const Tensor& x, const Tensor& w, const Tensor& bias) {
  for (int64_t r = 0; r < x.dim(0); ++r) {
    const Tensor alone = linear(x.sliced(r, r + 1), w, bias);
    EXPECT_EQ(std::memcmp(alone.raw(), all.sliced(r, r + 1).raw(), static_cast<size_t>(alone.bytes())), 0)
        << "row " << r;
  }
}

class LinearRowsTest : public ::testing::TestWithParam<DType> {
 protected:
  Rng rng_{5, 0};
  const Tensor w_ = rows::random(rng_, {67, 203}, GetParam());
  const Tensor bias_ = rows::random(rng_, {67}, DType::f32);
};

TEST_P(LinearRowsTest, ASmallBatchGivesEachRowTheBitsItHasAlone) {
  const Tensor x = rows::random(rng_, {kInvariantRows, 203}, GetParam());
  for (const backend::KernelTable* table : backend::supported_tables()) {
    SCOPED_TRACE(table->name);
    const backend::ScopedTable scope(*table);
    expect_same_rows(linear(x, w_, bias_), x, w_, bias_);
  }
}

TEST_P(LinearRowsTest, BatchInvariantExtendsThatToAnyBatch) {
  const Tensor x = rows::random(rng_, {71, 203}, GetParam());
  for (const backend::KernelTable* table : backend::supported_tables()) {
    SCOPED_TRACE(table->name);
    const backend::ScopedTable scope(*table);
    const BatchInvariant invariant;
    expect_same_rows(linear(x, w_, bias_), x, w_, bias_);
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, LinearRowsTest, ::testing::Values(DType::f32, DType::bf16, DType::f16),
                         [](const auto& dtype) { return std::string(name_of(dtype.param)); });

TEST(Linear, ABf16WeightCollectsItsGradientInF32) {
  Rng rng(6, 0);
  const Tensor x = rows::random(rng, {4, 8}, DType::bf16);
  Tensor w = rows::random(rng, {3, 8}, DType::bf16);
  autograd::require_grad(w);
  autograd::backward(linear(x, w));
  ASSERT_EQ(autograd::grad(w).dtype(), DType::f32);
  float sum = 0.0f;  // each row of dw is the sum of the rows of x
  for (int64_t r = 0; r < 4; ++r) sum += static_cast<float>(x.data<bfloat16>()[r * 8]);
  EXPECT_NEAR(autograd::grad(w).data<float>()[8], sum, 1e-5);
}

TEST(Linear, OfNoRowsIsEmpty) {
  const Tensor w = Tensor::full({3, 8}, 1.0f);
  EXPECT_EQ(linear(Tensor({0, 8}, DType::f32), w).shape(), (Shape{0, 3}));
}

}  // namespace
}  // namespace quern::ops
