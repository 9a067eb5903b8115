// NF4 as it is made, against bitsandbytes (tools/goldens/packed.py) and by what it promises.
#include "quant/nf4.h"

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

Tensor part(const std::string& name) {
  static const auto archive =
      formats::TensorArchive::open(QUERN_SOURCE_DIR "/tests/golden/packed/weights.safetensors").value();
  return archive.tensor("bnb.nf4_made." + name).value();
}

TEST(Nf4, LevelsOfScalesAreThoseOfBitsandbytes) {
  const Tensor wanted = part("weight.nested_quant_map");
  for (size_t i = 0; i < 256; ++i) EXPECT_EQ(dynamic_levels()[i], wanted.span<float>()[i]) << i;
}

TEST(Nf4, IsWhatBitsandbytesMakes) {
  const Tensor made = quantize_nf4(part("input"), DType::bf16).value(),
               wanted = part("expected").to(DType::f32);
  const Tensor bytes = part("weight"), codes = part("weight.absmax"), groups = part("weight.nested_absmax");
  ASSERT_EQ(made.shape(), wanted.shape());
  ASSERT_EQ(made.bytes(), bytes.bytes());
  EXPECT_EQ(std::memcmp(made.raw(), bytes.raw(), static_cast<size_t>(bytes.bytes())), 0);
  const BlockScales scales = made.scales();
  for (int64_t i = 0; i < codes.numel(); ++i) ASSERT_EQ(scales.codes[i], codes.data<uint8_t>()[i]) << i;
  for (int64_t i = 0; i < groups.numel(); ++i)
    EXPECT_FLOAT_EQ(scales.groups[i], groups.data<float>()[i]) << i;
  const Tensor got = decode(made);
  for (int64_t i = 0; i < got.numel(); ++i) {
    const float expected = wanted.data<float>()[i];
    ASSERT_LE(std::fabs(got.data<float>()[i] - expected), 0x1p-7f * std::fabs(expected)) << i;
  }
}

// bitsandbytes records a mean absolute error of 0.0728 of normal numbers and accepts 7 deviations above it.
TEST(Nf4, LosesNoMoreThanItsPaperSays) {
  Tensor x({64, 1024}, DType::f32);
  Rng rng(3, 1);
  for (float& value : x.span<float>()) value = static_cast<float>(rng.normal());
  const Tensor y = decode(quantize_nf4(x, DType::f32).value());
  double error = 0.0;
  for (int64_t i = 0; i < x.numel(); ++i)
    error += std::fabs(static_cast<double>(x.data<float>()[i]) - static_cast<double>(y.data<float>()[i]));
  error /= static_cast<double>(x.numel());
  EXPECT_GT(error, 0.05);
  EXPECT_LT(error, 0.0742);
}

TEST(Nf4, DoesNotDependOnThreads) {
  const int before = num_threads();
  const Tensor x = part("input");
  set_num_threads(1);
  const Tensor one = quantize_nf4(x, DType::bf16).value();
  set_num_threads(3);
  const Tensor three = quantize_nf4(x, DType::bf16).value();
  set_num_threads(before);
  EXPECT_EQ(std::memcmp(one.raw(), three.raw(), static_cast<size_t>(one.bytes())), 0);
  EXPECT_EQ(std::memcmp(one.scales().codes, three.scales().codes, static_cast<size_t>(one.numel() / 64)), 0);
}

TEST(Nf4, ZerosStayZeros) {
  const Tensor y = decode(quantize_nf4(Tensor::zeros({3, 128}), DType::f32).value());
  for (const float value : y.span<float>()) EXPECT_EQ(value, 0.0f);
}

TEST(Nf4, RefusesWhatItCannotHold) {
  EXPECT_EQ(quantize_nf4(Tensor::zeros({2, 96}), DType::f32).error().message,
            "expected a matrix with rows of a multiple of 64 elements for NF4, got f32[2, 96]");
  EXPECT_FALSE(quantize_nf4(Tensor::zeros({64}), DType::f32).ok());
  for (const float value : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    Tensor x = Tensor::zeros({2, 64});
    x.data<float>()[70] = value;
    EXPECT_EQ(quantize_nf4(x, DType::f32).error().message, "f32[2, 64] holds numbers that are not finite");
  }
}

}  // namespace
}  // namespace quern::quant
