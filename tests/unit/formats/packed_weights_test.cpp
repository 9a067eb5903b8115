// Packed weights against tools/goldens/packed.py, and against files that lie.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "formats/packed/affine_matrix.h"
#include "formats/packed/bitsandbytes.h"
#include "formats/packed/gptq.h"
#include "formats/safetensors.h"
#include "support/source_dir.h"
#include "tensor/block_codebooks.h"
#include "tensor/block_formats.h"

namespace quern::formats {
namespace {

using testing::HasSubstr;

const TensorArchive& golden() {
  static const TensorArchive archive =
      TensorArchive::open(QUERN_SOURCE_DIR "/tests/golden/packed/weights.safetensors").value();
  return archive;
}

Tensor part(const std::string& name) { return golden().tensor(name).value(); }

std::optional<Tensor> part_if_any(const std::string& name) {
  return golden().find(name) ? std::optional(part(name)) : std::nullopt;
}

IntegerTensors integers(const std::string& name) {
  return {part(name + ".qweight"), part(name + ".qzeros"), part(name + ".scales"),
          part_if_any(name + ".g_idx")};
}

FourBitTensors four_bits(const std::string& name) {
  const std::string weight = name + ".weight";
  const std::string kind = name.find("fp4") == name.npos ? "nf4" : "fp4";
  return {part(weight),
          part(weight + ".absmax"),
          part(weight + ".quant_map"),
          part_if_any(weight + ".nested_absmax"),
          part_if_any(weight + ".nested_quant_map"),
          part(weight + ".quant_state.bitsandbytes__" + kind)};
}

// The values of a tensor of any dtype that weights unpack to.
std::vector<float> values_of(const Tensor& tensor) {
  std::vector<float> values;
  const auto each = [&]<class Block>(const Block*, auto value) {
    for (int64_t b = 0; b < tensor.numel() / Block::kElements; ++b) {
      const Block& block = static_cast<const Block*>(tensor.raw())[b];
      for (int j = 0; j < Block::kElements; ++j)
        values.push_back(static_cast<float>(block.d) * value(block, j));
    }
  };
  const auto nibble = [](const uint8_t* qs, int j) { return j < 16 ? qs[j] & 15 : qs[j - 16] >> 4; };
  switch (tensor.dtype()) {
    case DType::q4_0:
      each(static_cast<BlockQ4_0*>(nullptr),
           [&](const BlockQ4_0& b, int j) { return static_cast<float>(nibble(b.qs, j) - 8); });
      break;
    case DType::q5_0:
      each(static_cast<BlockQ5_0*>(nullptr), [&](const BlockQ5_0& b, int j) {
        return static_cast<float>((nibble(b.qs, j) | ((b.qh[j / 8] >> (j % 8)) & 1) << 4) - 16);
      });
      break;
    case DType::q8_0:
      each(static_cast<BlockQ8_0*>(nullptr),
           [&](const BlockQ8_0& b, int j) { return static_cast<float>(b.qs[j]); });
      break;
    case DType::nf4: {
      const BlockScales scales = tensor.scales();
      const auto* bytes = static_cast<const uint8_t*>(tensor.raw());
      for (int64_t i = 0; i < tensor.numel(); ++i) {
        const int code = i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 15;
        values.push_back(scales.rounded(kNf4Levels[code] * scales.of(i / 64)));
      }
      break;
    }
    default: {
      const Tensor wide = tensor.to(DType::f32);
      values.assign(wide.span<float>().begin(), wide.span<float>().end());
    }
  }
  return values;
}

struct Case {
  const char* name;
  DType dtype;  // what it unpacks to
};

void expect_equal(const Result<PackedWeight>& weight, const Case& which, double relative = 0.0) {
  SCOPED_TRACE(which.name);
  ASSERT_TRUE(weight.ok()) << weight.error().to_string();
  EXPECT_EQ(weight->dtype, which.dtype) << name_of(weight->dtype);
  const Tensor got = weight->tensor().value(), wanted = part(std::string(which.name) + ".expected");
  ASSERT_EQ(got.shape(), wanted.shape());
  EXPECT_EQ(got.dtype(), which.dtype);
  const std::vector<float> values = values_of(got), expected = values_of(wanted);
  for (size_t i = 0; i < expected.size(); ++i) {
    // Blocks of GGUF hold the product that `expected` has rounded to f16.
    const bool exact = is_block(which.dtype) && which.dtype != DType::nf4 && relative == 0.0;
    const float value = exact ? static_cast<float>(float16(values[i])) : values[i];
    ASSERT_LE(std::fabs(value - expected[i]), relative * std::fabs(expected[i])) << i;
  }
}

TEST(Gptq, UnpacksWithoutRounding) {
  for (const Case& which : {Case{"gptq.symmetric", DType::q4_0},
                            {"gptq.asymmetric", DType::q5_0},
                            {"gptq.ordered", DType::f16},
                            {"gptq.whole_row", DType::q5_0},
                            {"gptq.narrow_groups", DType::f16},
                            {"gptq.bits2", DType::q4_0},
                            {"gptq.bits3", DType::q4_0},
                            {"gptq.bits8", DType::f16},
                            {"gptq.bits8_symmetric", DType::q8_0}}) {
    expect_equal(gptq_weight(which.name, integers(which.name), {.zeros_less_one = true}), which);
  }
  expect_equal(gptq_weight("v2", integers("gptq_v2.asymmetric"), {}), {"gptq_v2.asymmetric", DType::q5_0});
}

TEST(Gptq, GroupsAreRunsWithoutGIdx) {
  IntegerTensors parts = integers("gptq.symmetric");
  parts.g_idx.reset();
  const QuantizationConfig config{.group_size = 32, .zeros_less_one = true};
  expect_equal(gptq_weight("runs", parts, config), {"gptq.symmetric", DType::q4_0});
}

TEST(Awq, UnpacksWithoutRounding) {
  const QuantizationConfig config{.quantizer = Quantizer::awq, .group_size = 32};
  expect_equal(awq_weight("awq.plain", integers("awq.plain"), config), {"awq.plain", DType::q5_0});
}

TEST(BitsAndBytes, UnpacksAsItselfDoes) {
  for (const Case& which :
       {Case{"bnb.nf4", DType::f16}, {"bnb.nf4_twice", DType::nf4}, {"bnb.fp4", DType::f32}})
    expect_equal(four_bit_weight(which.name, four_bits(which.name)), which);
  for (const Case& which : {Case{"bnb.int8", DType::q8_0}, {"bnb.int8_narrow", DType::f16}}) {
    const std::string name = which.name;
    expect_equal(eight_bit_weight(name, part(name + ".weight"), part(name + ".SCB")), which, 0x1p-11);
  }
}

// The dtype NF4 has the levels of NF4 and blocks of whole 64; others are decoded.
TEST(BitsAndBytes, OnlyWhatIsNf4Stays) {
  FourBitTensors parts = four_bits("bnb.nf4_twice");
  EXPECT_EQ(four_bit_weight("w", parts)->dtype, DType::nf4);
  const Tensor kept = four_bit_weight("w", parts)->tensor().value();
  EXPECT_EQ(kept.raw(), parts.weight.raw()) << "no copy";
  parts.quant_map = parts.quant_map.clone();
  parts.quant_map.data<float>()[3] += 0.01f;
  const auto other = four_bit_weight("w", parts);
  EXPECT_EQ(other->dtype, DType::bf16);
  EXPECT_NE(values_of(other->tensor().value()), values_of(kept));
}

// Zero points out of the reach of a block's codes take the next block, and scales that f16 lacks take none.
TEST(AffineMatrix, TheSmallestExactDtypeHoldsIt) {
  AffineGrid grid{.out = 1, .in = 64, .bits = 4, .group_of = std::vector<int32_t>(64, 0), .zeros = {8}};
  grid.scales = Tensor::full({1, 1}, 0.5);
  EXPECT_EQ(exact_dtype(grid), DType::q4_0);
  grid.zeros = {9};
  EXPECT_EQ(exact_dtype(grid), DType::q5_0);
  grid.bits = 8;
  EXPECT_EQ(exact_dtype(grid), DType::f32);
  grid.zeros = {128};
  EXPECT_EQ(exact_dtype(grid), DType::q8_0);
  grid.scales = Tensor::full({1, 1}, 0.1);
  EXPECT_EQ(exact_dtype(grid), DType::f32);
  grid.scales = Tensor::full({1, 1}, 0.1, DType::bf16);
  EXPECT_EQ(exact_dtype(grid), DType::q8_0) << "8 bits of a mantissa fit into 11";
  grid.in = 48;
  EXPECT_EQ(exact_dtype(grid), DType::bf16);
}

std::string gptq_error(const std::function<void(IntegerTensors&)>& spoil, QuantizationConfig config = {}) {
  IntegerTensors parts = integers("gptq.symmetric");
  spoil(parts);
  const auto weight = gptq_weight("w", parts, config);
  return weight.ok() ? "" : weight.error().message;
}

TEST(Gptq, RefusesPartsThatDoNotFit) {
  const Tensor empty(Shape{0, 32}, DType::i32), floats = Tensor::zeros({8, 32});
  EXPECT_THAT(gptq_error([&](auto& p) { p.qweight = floats; }),
              HasSubstr("w.qweight: expected a matrix of i32, got f32[8, 32]"));
  EXPECT_THAT(gptq_error([&](auto& p) { p.qweight = empty; }), HasSubstr("w.qweight"));
  EXPECT_THAT(gptq_error([&](auto& p) { p.qzeros = empty; }), HasSubstr("w.qzeros"));
  EXPECT_THAT(gptq_error([&](auto& p) { p.qzeros = p.qzeros.sliced(0, 1); }),
              HasSubstr("w.qzeros: expected a row for each of 2 groups, got i32[1, 4]"));
  EXPECT_THAT(gptq_error([](auto& p) {
                p.qzeros = Tensor::zeros({2, 5}, DType::i32);
              }),
              HasSubstr("w.qzeros: expected 32 zero points of 2, 3, 4 or 8 bits"));
  EXPECT_THAT(gptq_error([](auto& p) {
                p.scales = Tensor::zeros({2, 31}, DType::f16);
              }),
              HasSubstr("w.scales: expected 32 columns"));
  EXPECT_THAT(gptq_error([](auto& p) {
                p.scales = Tensor::zeros({2, 32}, DType::i32);
              }),
              HasSubstr("w.scales"));
  EXPECT_THAT(gptq_error([](auto& p) { p.g_idx = Tensor::zeros({63}, DType::i32); }),
              HasSubstr("w.g_idx: expected i32[64], got i32[63]"));
  for (const int32_t outside : {-1, 2}) {
    EXPECT_THAT(gptq_error([&](auto& p) {
                  p.g_idx = p.g_idx->clone();
                  p.g_idx->template data<int32_t>()[5] = outside;
                }),
                HasSubstr("w.g_idx: expected groups below 2, got " + std::to_string(outside) + " at 5"));
  }
  EXPECT_THAT(gptq_error([](auto& p) { p.g_idx.reset(); }, {.group_size = 16}),
              HasSubstr("w.scales: expected 4 groups of 16 of 64 inputs"));
}

TEST(Awq, RefusesPartsThatDoNotFit) {
  const IntegerTensors whole = integers("awq.plain");
  const auto error = [](const IntegerTensors& parts, int64_t group_size) {
    const auto weight = awq_weight("w", parts, {.quantizer = Quantizer::awq, .group_size = group_size});
    return weight.ok() ? "" : weight.error().message;
  };
  EXPECT_EQ(error(whole, 32), "");
  EXPECT_THAT(error(whole, -1), HasSubstr("w.scales: expected 1 groups of 64 of 64 inputs"));
  IntegerTensors parts = whole;
  parts.qweight = Tensor::zeros({64, 3}, DType::i32);
  EXPECT_THAT(error(parts, 32), HasSubstr("w.scales: expected 24 columns"));
  parts = whole;
  parts.qzeros = Tensor::zeros({2, 3}, DType::i32);
  EXPECT_THAT(error(parts, 32), HasSubstr("w.qzeros: expected 4 columns"));
}

Tensor bytes_of_text(const std::string& text) {
  return Tensor::from(std::vector<uint8_t>(text.begin(), text.end()), {static_cast<int64_t>(text.size())});
}

TEST(BitsAndBytes, RefusesPartsThatDoNotFit) {
  const auto error = [](const std::function<void(FourBitTensors&)>& spoil) {
    FourBitTensors parts = four_bits("bnb.nf4_twice");
    spoil(parts);
    const auto weight = four_bit_weight("w", parts);
    return weight.ok() ? "" : weight.error().message;
  };
  EXPECT_EQ(error([](auto&) {}), "");
  EXPECT_THAT(error([](auto& p) { p.weight = p.weight.sliced(0, 100); }),
              HasSubstr("w.quant_state: shape: expected a matrix of 100 bytes"));
  EXPECT_THAT(error([](auto& p) { p.absmax = p.absmax.sliced(0, 7); }),
              HasSubstr("w.absmax: expected u8[320], got u8[7]"));
  EXPECT_THAT(error([](auto& p) { p.nested_absmax = Tensor::zeros({1}); }), HasSubstr("w.nested_absmax"));
  EXPECT_THAT(error([](auto& p) { p.nested_quant_map = Tensor::zeros({255}); }),
              HasSubstr("w.nested_quant_map: expected f32[256]"));
  EXPECT_THAT(error([](auto& p) { p.nested_absmax.reset(); }),
              HasSubstr("w.absmax: expected f32[320], got u8"));
  EXPECT_THAT(error([](auto& p) { p.quant_map = Tensor::zeros({15}); }), HasSubstr("w.quant_map"));
  const auto with_state = [&](const std::string& text) {
    return error([&](auto& p) { p.quant_state = bytes_of_text(text); });
  };
  EXPECT_THAT(with_state("{"), HasSubstr("w.quant_state"));
  EXPECT_THAT(with_state("{}"), HasSubstr("blocksize: expected an integer, got nothing"));
  EXPECT_THAT(with_state(R"({"blocksize": 0})"), HasSubstr("blocksize: expected 1 to"));
  for (const char* shape : {"[80]", "[80, 0]", "[-80, -256]", "[4611686018427387904, 4]", "[80, 257]"}) {
    EXPECT_THAT(with_state(std::string(R"({"blocksize": 64, "dtype": "float16", "shape": )") + shape + "}"),
                HasSubstr("shape: expected a matrix of 10240 bytes"));
  }
  EXPECT_THAT(with_state(R"({"blocksize": 64, "shape": [80, 256], "dtype": "int8"})"),
              HasSubstr("dtype: expected float32 | bfloat16 | float16, got int8"));
  EXPECT_FALSE(eight_bit_weight("w", part("bnb.int8.weight"), Tensor::zeros({15})).ok());
  EXPECT_FALSE(eight_bit_weight("w", part("bnb.nf4.weight"), part("bnb.int8.SCB")).ok());
}

}  // namespace
}  // namespace quern::formats
