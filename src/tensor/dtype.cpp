#include "tensor/dtype.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "base/exception.h"
#include "tensor/block_formats.h"

namespace quern {

namespace {

struct DTypeRow {
  DType dtype;
  std::string_view name;
  int64_t elements;  // of a block; 1 for a plain dtype
  int64_t bytes;
};

template <class Block>
constexpr DTypeRow block_row(DType dtype, std::string_view name) {
  return {dtype, name, Block::kElements, sizeof(Block)};
}

constexpr DTypeRow kDTypes[] = {
    {DType::f32, "f32", 1, 4},
    {DType::bf16, "bf16", 1, 2},
    {DType::f16, "f16", 1, 2},
    {DType::f64, "f64", 1, 8},
    {DType::i32, "i32", 1, 4},
    {DType::i64, "i64", 1, 8},
    {DType::u8, "u8", 1, 1},
    {DType::i8, "i8", 1, 1},
    {DType::u16, "u16", 1, 2},
    {DType::boolean, "bool", 1, 1},
    block_row<BlockQ4_0>(DType::q4_0, "Q4_0"),
    block_row<BlockQ4_1>(DType::q4_1, "Q4_1"),
    block_row<BlockQ5_0>(DType::q5_0, "Q5_0"),
    block_row<BlockQ5_1>(DType::q5_1, "Q5_1"),
    block_row<BlockQ8_0>(DType::q8_0, "Q8_0"),
    block_row<BlockQ2_K>(DType::q2_k, "Q2_K"),
    block_row<BlockQ3_K>(DType::q3_k, "Q3_K"),
    block_row<BlockQ4_K>(DType::q4_k, "Q4_K"),
    block_row<BlockQ5_K>(DType::q5_k, "Q5_K"),
    block_row<BlockQ6_K>(DType::q6_k, "Q6_K"),
    block_row<BlockIQ4_NL>(DType::iq4_nl, "IQ4_NL"),
    block_row<BlockIQ4_XS>(DType::iq4_xs, "IQ4_XS"),
    block_row<BlockMXFP4>(DType::mxfp4, "MXFP4"),
    block_row<BlockNVFP4>(DType::nvfp4, "NVFP4"),
    block_row<BlockIQ1_S>(DType::iq1_s, "IQ1_S"),
    block_row<BlockIQ1_M>(DType::iq1_m, "IQ1_M"),
    block_row<BlockIQ2_XXS>(DType::iq2_xxs, "IQ2_XXS"),
    block_row<BlockIQ2_XS>(DType::iq2_xs, "IQ2_XS"),
    block_row<BlockIQ2_S>(DType::iq2_s, "IQ2_S"),
    block_row<BlockIQ3_XXS>(DType::iq3_xxs, "IQ3_XXS"),
    block_row<BlockIQ3_S>(DType::iq3_s, "IQ3_S"),
    block_row<BlockTQ1_0>(DType::tq1_0, "TQ1_0"),
    block_row<BlockTQ2_0>(DType::tq2_0, "TQ2_0"),
    block_row<BlockNF4>(DType::nf4, "NF4"),
};
static_assert([] {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (kDTypes[i].dtype != static_cast<DType>(i)) return false;
  }
  return std::size(kDTypes) == kDTypeCount;
}());

const DTypeRow& row_of(DType dtype) { return kDTypes[static_cast<size_t>(dtype)]; }

bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace

std::string_view name_of(DType dtype) { return row_of(dtype).name; }
int64_t block_elements(DType dtype) { return row_of(dtype).elements; }
int64_t block_bytes(DType dtype) { return row_of(dtype).bytes; }

int64_t size_of(DType dtype) {
  if (is_block(dtype)) {
    throw InternalError("an element of " + std::string(name_of(dtype)) + " has no size of its own");
  }
  return row_of(dtype).bytes;
}

int64_t bytes_of(DType dtype, int64_t elements) {
  const DTypeRow& row = row_of(dtype);
  if (elements % row.elements != 0) {
    throw ShapeError("expected whole blocks of " + std::to_string(row.elements) + " elements of " +
                     std::string(row.name) + ", got " + std::to_string(elements) + " elements");
  }
  return elements / row.elements * row.bytes;
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeRow& row : kDTypes) {
    if (same_letters(row.name, name)) return row.dtype;
  }
  return std::nullopt;
}

void throw_not_float(DType dtype) {
  throw InternalError("expected a floating dtype, got " + std::string(name_of(dtype)));
}

void throw_not_block(DType dtype) {
  throw InternalError("expected a block-quantised dtype, got " + std::string(name_of(dtype)));
}

float16::float16(float value) {
  const uint32_t u = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (u >> 16) & 0x8000u;
  const uint32_t magnitude = u & 0x7fffffffu;
  if (magnitude >= 0x7f800000u) {  // infinity, NaN
    bits = static_cast<uint16_t>(sign | 0x7c00u | (magnitude > 0x7f800000u ? 0x0200u : 0u));
  } else if (magnitude >= 0x477ff000u) {  // rounds past 65504
    bits = static_cast<uint16_t>(sign | 0x7c00u);
  } else if (magnitude <
             0x38800000u) {  // subnormal: adding 0.5 aligns the mantissa and rounds to nearest even
    const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
    bits = static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(aligned) - 0x3f000000u));
  } else {
    const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u;
    bits = static_cast<uint16_t>(sign | (rounded >> 13));
  }
}

float16::operator float() const {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1fu;
  const uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1.0p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

}  // namespace quern
