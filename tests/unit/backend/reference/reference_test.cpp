// The reference kernels by hand: what the tests of ops cannot see, because they only compare or
// differentiate.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "backend/api/backend.h"

namespace quern::backend {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

const KernelTable& kernels() { return reference_table(); }

// But the one that makes strips, which the reference does not read.
TEST(Reference, FillsEverySlot) {
  KernelTable table = kernels();
  EXPECT_EQ(table.pack_strips, nullptr);
  table.pack_strips = [](const PackStripsArgs&) { return false; };
  const auto* slots = reinterpret_cast<void* const*>(&table);
  for (size_t i = 0; i < sizeof(KernelTable) / sizeof(void*); ++i)
    EXPECT_NE(slots[i], nullptr) << "slot " << i;
}

TEST(ReferenceGemm, MultipliesInEveryLayout) {
  const std::vector<float> a{1, 2, 3, 4, 5, 6}, a_t{1, 4, 2, 5, 3, 6};  // [2,3] and its transpose
  const std::vector<float> b{1, 0, 2, 1, 0, 3}, b_t{1, 2, 0, 0, 1, 3};  // [3,2] and its transpose
  for (const bool a_transposed : {false, true}) {
    for (const bool b_transposed : {false, true}) {
      std::vector<float> c(4, -1.0f);
      kernels().gemm({.m = 2,
                      .n = 2,
                      .k = 3,
                      .a = (a_transposed ? a_t : a).data(),
                      .a_dtype = DType::f32,
                      .a_transposed = a_transposed,
                      .b = (b_transposed ? b_t : b).data(),
                      .b_dtype = DType::f32,
                      .b_transposed = b_transposed,
                      .c = c.data(),
                      .c_dtype = DType::f32,
                      .bias = nullptr,
                      .accumulate = false});
      EXPECT_THAT(c, ElementsAre(5, 11, 14, 23));
    }
  }
}

TEST(ReferenceGemm, AddsTheBiasAndWhatWasThere) {
  const std::vector<float> a{1, 2}, b{3, 4}, bias{100};
  std::vector<float> c{1000};
  kernels().gemm({.m = 1,
                  .n = 1,
                  .k = 2,
                  .a = a.data(),
                  .a_dtype = DType::f32,
                  .a_transposed = false,
                  .b = b.data(),
                  .b_dtype = DType::f32,
                  .b_transposed = false,
                  .c = c.data(),
                  .c_dtype = DType::f32,
                  .bias = bias.data(),
                  .accumulate = true});
  EXPECT_THAT(c, ElementsAre(1111));
}

TEST(ReferenceGemm, ReadsEachOperandInItsDType) {
  const std::vector<bfloat16> a{bfloat16(2.0f)};
  const std::vector<float16> b{float16(3.0f)};
  std::vector<double> c{0};
  kernels().gemm({.m = 1,
                  .n = 1,
                  .k = 1,
                  .a = a.data(),
                  .a_dtype = DType::bf16,
                  .a_transposed = false,
                  .b = b.data(),
                  .b_dtype = DType::f16,
                  .b_transposed = true,
                  .c = c.data(),
                  .c_dtype = DType::f64,
                  .bias = nullptr,
                  .accumulate = false});
  EXPECT_THAT(c, ElementsAre(6.0));
}

float activated(Activation kind, float x) {
  float y = 0.0f;
  kernels().activation({.kind = kind, .count = 1, .x = &x, .y = &y, .dtype = DType::f32});
  return y;
}

// Values of scipy.special and of the definitions, to float precision.
TEST(ReferenceActivation, HasTheKnownValues) {
  EXPECT_FLOAT_EQ(activated(Activation::identity, -3.0f), -3.0f);
  EXPECT_FLOAT_EQ(activated(Activation::gelu_erf, 1.0f), 0.84134475f);
  EXPECT_FLOAT_EQ(activated(Activation::gelu_erf, -10.0f), -7.6198530e-23f);
  EXPECT_FLOAT_EQ(activated(Activation::gelu_tanh, 1.0f), 0.84119199f);
  EXPECT_FLOAT_EQ(activated(Activation::silu, 1.0f), 0.73105858f);
  EXPECT_FLOAT_EQ(activated(Activation::silu, -200.0f), -200.0f * std::exp(-200.0));
  EXPECT_FLOAT_EQ(activated(Activation::relu, -1.0f), 0.0f);
  EXPECT_FLOAT_EQ(activated(Activation::sigmoid, 0.0f), 0.5f);
  EXPECT_FLOAT_EQ(activated(Activation::tanh, 0.5f), 0.46211716f);
  EXPECT_FLOAT_EQ(activated(Activation::relu_squared, 3.0f), 9.0f);
}

TEST(ReferenceCrossEntropy, GivesLossAndGradient) {
  std::vector<float> logits{0.0f, std::log(3.0f), 5.0f, 5.0f};
  const std::vector<int32_t> targets{1, -1};
  const std::vector<float> weight{2.0f, 1.0f};
  std::vector<float> loss(2, -1.0f);
  kernels().cross_entropy({.rows = 2,
                           .vocab = 2,
                           .logits = logits.data(),
                           .targets = targets.data(),
                           .weight = weight.data(),
                           .loss = loss.data(),
                           .gradient = true,
                           .softcap = 0.0,
                           .dtype = DType::f32});
  EXPECT_THAT(loss, Pointwise(FloatNear(1e-6f), {std::log(4.0f / 3.0f), 0.0f}));
  EXPECT_THAT(logits, Pointwise(FloatNear(1e-6f), {0.5f, -0.5f, 0.0f, 0.0f}));
}

TEST(ReferenceNorm, NormalisesBothWays) {
  const std::vector<float> x{1, 2, 3, 6};
  std::vector<float> y(4), rstd(1), mean(1);
  NormArgs args{.kind = NormKind::layer,
                .rows = 1,
                .cols = 4,
                .x = x.data(),
                .weight = nullptr,
                .bias = nullptr,
                .weight_offset = 0.0,
                .eps = 0.0,
                .y = y.data(),
                .mean = mean.data(),
                .rstd = rstd.data(),
                .dtype = DType::f32};
  kernels().norm(args);
  EXPECT_FLOAT_EQ(mean[0], 3.0f);
  EXPECT_FLOAT_EQ(rstd[0], 1.0f / std::sqrt(3.5f));
  EXPECT_FLOAT_EQ(y[3], 3.0f / std::sqrt(3.5f));
  args.kind = NormKind::rms;
  kernels().norm(args);
  EXPECT_FLOAT_EQ(y[3], 6.0f / std::sqrt(12.5f));
}

TEST(ReferenceSum, SumsAndSumsSquares) {
  const std::vector<bfloat16> x{bfloat16(1.0f), bfloat16(-2.0f), bfloat16(3.0f)};
  double out = 0.0;
  kernels().sum({.count = 3, .x = x.data(), .squared = false, .out = &out, .dtype = DType::bf16});
  EXPECT_EQ(out, 2.0);
  kernels().sum({.count = 3, .x = x.data(), .squared = true, .out = &out, .dtype = DType::bf16});
  EXPECT_EQ(out, 14.0);
}

TEST(ReferenceSumRows, AddsToWhatIsThereOnRequest) {
  const std::vector<float> x{1, 2, 3, 4, 5, 6};
  std::vector<float> out{10, 20, 30};
  kernels().sum_rows(
      {.rows = 2, .cols = 3, .x = x.data(), .out = out.data(), .accumulate = true, .dtype = DType::f32});
  EXPECT_THAT(out, ElementsAre(15, 27, 39));
  kernels().sum_rows(
      {.rows = 2, .cols = 3, .x = x.data(), .out = out.data(), .accumulate = false, .dtype = DType::f32});
  EXPECT_THAT(out, ElementsAre(5, 7, 9));
}

TEST(ReferenceAxpby, IgnoresWhatWasThereWhenBetaIsZero) {
  const std::vector<float> x{1.0f};
  std::vector<float> y{std::nanf("")};
  kernels().axpby({.count = 1,
                   .alpha = 2.0,
                   .beta = 0.0,
                   .x = x.data(),
                   .x_dtype = DType::f32,
                   .y = y.data(),
                   .y_dtype = DType::f32});
  EXPECT_EQ(y[0], 2.0f);
}

// Two steps of torch.optim.AdamW(lr=0.1, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.5) on w = 1 with
// gradients 0.5 and -1.
TEST(ReferenceAdamW, TakesTheStepsOfTorch) {
  float w = 1.0f, m = 0.0f, v = 0.0f;
  bfloat16 shadow;
  const auto step = [&](int t, float gradient) {
    kernels().adamw({.count = 1,
                     .w = &w,
                     .grad = &gradient,
                     .m = &m,
                     .v = &v,
                     .lr = 0.1,
                     .beta1 = 0.9,
                     .beta2 = 0.99,
                     .eps = 1e-8,
                     .decay = 0.5,
                     .correction1 = 1.0 - std::pow(0.9, t),
                     .correction2 = 1.0 - std::pow(0.99, t),
                     .grad_scale = 0.5,
                     .shadow = &shadow,
                     .shadow_dtype = DType::bf16});
  };
  step(1, 1.0f);
  EXPECT_FLOAT_EQ(w, 0.85f);
  step(2, -2.0f);
  EXPECT_NEAR(w, 0.84406072f, 1e-6f);
  EXPECT_EQ(shadow.bits, bfloat16(w).bits);
}

}  // namespace
}  // namespace quern::backend
