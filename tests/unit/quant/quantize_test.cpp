#include "quant/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"
#include "base/threads.h"
#include "formats/safetensors.h"
#include "support/source_dir.h"
#include "unit/quant/decode.h"

namespace quern::quant {
namespace {

using testing::HasSubstr;

// tools/goldens/quantize.py
const formats::TensorArchive& golden() {
  static const auto archive =
      formats::TensorArchive::open(QUERN_SOURCE_DIR "/tests/golden/quant/encode.safetensors").value();
  return archive;
}

std::vector<DType> block_types() {
  std::vector<DType> types;
  for (int i = 0; i < kDTypeCount; ++i) {
    if (const auto dtype = static_cast<DType>(i); is_block(dtype) && can_quantize(dtype))
      types.push_back(dtype);
  }
  return types;
}

double weighted_error(const Tensor& x, const Tensor& y, std::span<const float> weights) {
  double sum = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double difference = static_cast<double>(x.data<float>()[i]) - y.data<float>()[i];
    sum += (weights.empty() ? 1.0 : weights[static_cast<size_t>(i % x.dim(1))]) * difference * difference;
  }
  return std::sqrt(sum / static_cast<double>(x.numel()));
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

TEST(Quantize, WritesWhatIssueThreeNames) {
  using enum DType;
  EXPECT_THAT(block_types(), testing::ElementsAre(q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k,
                                                  iq4_nl, iq4_xs, mxfp4));
}

TEST(QuantizeGolden, SimpleTypesHaveTheBytesOfGgml) {
  for (const std::string rows : {"gauss", "heavy"}) {
    for (const DType dtype :
         {DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0, DType::mxfp4}) {
      const Tensor blocks = quantize(golden().tensor(rows).value(), dtype).value();
      const Tensor expected = golden().tensor(rows + "." + std::string(name_of(dtype)) + ".blocks").value();
      EXPECT_TRUE(same_bytes(blocks, expected)) << rows << " " << name_of(dtype);
    }
  }
}

TEST(QuantizeGolden, ErrorsAreThoseOfGgmlWithinFivePercent) {
  const auto importance = golden().tensor("importance")->span<float>();
  for (const std::string rows : {"gauss", "heavy"}) {
    const Tensor x = golden().tensor(rows).value();
    for (const DType dtype : block_types()) {
      const auto expected = golden().tensor(rows + "." + std::string(name_of(dtype)) + ".rmse");
      if (!expected.ok()) continue;  // the types compared by bytes alone
      const double plain = weighted_error(x, decode(quantize(x, dtype).value()), {});
      const double weighted = weighted_error(x, decode(quantize(x, dtype, importance).value()), importance);
      EXPECT_LE(plain, 1.05 * expected->data<double>()[0]) << rows << " " << name_of(dtype);
      EXPECT_LE(weighted, 1.05 * expected->data<double>()[1])
          << rows << " " << name_of(dtype) << " by importance";
    }
  }
}

TEST(Quantize, ImportanceHelpsWhereItIsGiven) {
  const Tensor x = golden().tensor("gauss").value();
  const auto importance = golden().tensor("importance")->span<float>();
  for (const DType dtype : {DType::q4_0, DType::q2_k, DType::q4_k, DType::q6_k, DType::iq4_xs}) {
    EXPECT_LT(weighted_error(x, decode(quantize(x, dtype, importance).value()), importance),
              weighted_error(x, decode(quantize(x, dtype).value()), importance))
        << name_of(dtype);
  }
}

TEST(Quantize, StaysFiniteAtTheEndsOfTheRange) {
  const float largest = 65504.0f, least = std::numeric_limits<float>::denorm_min();
  const Tensor x = Tensor::zeros({1, 2048});
  const auto values = x.span<float>();
  for (size_t i = 0; i < 256; ++i) {
    values[i] = (i % 2 != 0 ? -1.0f : 1.0f) * largest;
    values[256 + i] = i == 100 ? largest : 1e-3f;           // one outlier
    values[512 + i] = (i % 3 != 0 ? -1.0f : 1.0f) * least;  // below any f16 scale
    values[768 + i] = 1e-7f * static_cast<float>(i);        // a subnormal f16 scale
    values[1024 + i] = 3.0f;                                // all alike
    values[1280 + i] = -3.0f;
    values[1536 + i] = i < 16 ? 1.0f : 0.0f;  // groups of zeros beside others
  }
  const std::vector<float> importance(2048, 1.0f), none;
  for (const DType dtype : block_types()) {
    for (const auto& weights : {none, importance}) {
      const Tensor y = decode(quantize(x, dtype, weights).value());
      for (int64_t i = 0; i < y.numel(); ++i)
        ASSERT_TRUE(std::isfinite(y.data<float>()[i])) << name_of(dtype) << " " << i;
      for (int64_t i = 1024; i < 1536; ++i) {
        ASSERT_NEAR(y.data<float>()[i], x.data<float>()[i], 0.05f) << name_of(dtype) << " " << i;
      }
      for (int64_t i = 1792; i < 2048; ++i) ASSERT_EQ(y.data<float>()[i], 0.0f) << name_of(dtype) << " " << i;
    }
  }
}

TEST(Quantize, EachStackedMatrixHasItsImportance) {
  Rng rng(4, 0);
  const Tensor x({2, 3, 256}, DType::f32);
  for (float& value : x.span<float>()) value = static_cast<float>(rng.normal());
  std::vector<float> importance(512);
  for (float& weight : importance) weight = rng.uniform() < 0.1 ? 100.0f : 0.1f;
  for (const DType dtype : {DType::q4_k, DType::q4_0, DType::iq4_xs}) {
    const Tensor both = quantize(x, dtype, importance).value();
    for (int64_t m = 0; m < 2; ++m) {
      const auto own = std::span(importance).subspan(static_cast<size_t>(m) * 256, 256);
      const Tensor one = quantize(x.sliced(m, m + 1), dtype, own).value();
      EXPECT_EQ(std::memcmp(both.sliced(m, m + 1).raw(), one.raw(), static_cast<size_t>(one.bytes())), 0);
    }
  }
  EXPECT_FALSE(quantize(x, DType::q4_0, std::vector<float>(768, 1.0f)).ok());
}

// What decodes to itself must encode to itself, or files would drift when they are converted again.
TEST(Quantize, KeepsWhatTheSimpleTypesCanHold) {
  Rng rng(3, 0);
  const Tensor x({2, 256}, DType::f32);
  for (float& value : x.span<float>()) value = static_cast<float>(rng.normal());
  for (const DType dtype : {DType::q8_0, DType::mxfp4}) {
    const Tensor once = decode(quantize(x, dtype).value());
    const Tensor twice = decode(quantize(once, dtype).value());
    EXPECT_LE(weighted_error(once, twice, {}), 2e-4) << name_of(dtype);
  }
}

TEST(Quantize, DoesNotDependOnThreads) {
  const Tensor x = golden().tensor("heavy").value();
  const int threads = num_threads();
  for (const DType dtype : {DType::q4_k, DType::q6_k}) {
    set_num_threads(1);
    const Tensor one = quantize(x, dtype).value();
    set_num_threads(3);
    EXPECT_TRUE(same_bytes(one, quantize(x, dtype).value())) << name_of(dtype);
  }
  set_num_threads(threads);
}

TEST(Quantize, TakesPlainDTypesToo) {
  const Tensor x = Tensor::full({2, 32}, 1.5, DType::bf16);
  EXPECT_EQ(quantize(x, DType::f16)->describe(), "f16[2, 32]");
  EXPECT_NEAR(decode(quantize(x, DType::q8_0).value()).data<float>()[7], 1.5f, 1e-3f);
  EXPECT_EQ(quantize(Tensor::zeros({0, 32}), DType::q4_0)->bytes(), 0);
}

TEST(Quantize, SaysWhatItCannotDo) {
  const Tensor x = Tensor::zeros({2, 32});
  EXPECT_EQ(quantize(x, DType::iq2_xs).error().code, ErrorCode::unsupported);
  EXPECT_EQ(quantize(x, DType::i32).error().code, ErrorCode::unsupported);
  EXPECT_THAT(quantize(x, DType::q4_k).error().message,
              HasSubstr("a multiple of 256 elements for Q4_K, got f32[2, 32]"));
  EXPECT_THAT(quantize(x, DType::q4_0, std::vector<float>(31, 1.0f)).error().message,
              HasSubstr("each of 32 columns, got 31"));
  EXPECT_THAT(quantize(x, DType::q4_0, std::vector<float>(32, -1.0f)).error().message,
              HasSubstr("importance of column 0 is -1"));
  x.data<float>()[40] = NAN;
  EXPECT_THAT(quantize(x, DType::q8_0).error().message, HasSubstr("element 40 of f32[2, 32] is nan"));
  x.data<float>()[40] = 65536.0f;
  EXPECT_THAT(quantize(x, DType::q8_0).error().message,
              HasSubstr("is 65536, expected numbers within -65504 to 65504"));
}

}  // namespace
}  // namespace quern::quant
