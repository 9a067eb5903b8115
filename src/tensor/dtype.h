// Element types of tensors, and the conversions of the 16-bit floats.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

namespace quern {

enum class DType : uint8_t {
  f32,
  bf16,
  f16,
  f64,
  i32,
  i64,
  u8,
  i8,
  u16,
  boolean,
  // Block-quantised: elements exist only as blocks of a row (tensor/block_formats.h), named as GGUF names them.
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  iq4_xs,
  mxfp4,
  nvfp4,
  iq1_s,
  iq1_m,
  iq2_xxs,
  iq2_xs,
  iq2_s,
  iq3_xxs,
  iq3_s,
  tq1_0,
  tq2_0,
  nf4,  // as bitsandbytes has it: the only one that is not of GGUF
};
inline constexpr int kDTypeCount = static_cast<int>(DType::nf4) + 1;

constexpr bool is_block(DType d) { return d >= DType::q4_0; }
// Whether its blocks hold no scales: these lie beside them (tensor/block_scales.h), and bytes alone stand for nothing.
constexpr bool has_scales_beside(DType d) { return d == DType::nf4; }

std::string_view name_of(DType dtype);  // "f32", "Q4_K"
// In any case of letters: "q4_k" is Q4_K.
std::optional<DType> dtype_from_name(std::string_view name);
// Bytes of one element. Throws InternalError for a block-quantised dtype, which has none: see bytes_of.
int64_t size_of(DType dtype);
// Elements and bytes of the smallest run that can be stored: a block, or one element.
int64_t block_elements(DType dtype);
int64_t block_bytes(DType dtype);
// Bytes of `elements` elements; throws ShapeError unless they are whole blocks.
int64_t bytes_of(DType dtype, int64_t elements);
constexpr bool is_float(DType d) {
  return d == DType::f32 || d == DType::bf16 || d == DType::f16 || d == DType::f64;
}
// The dtype of statistics, biases, norm weights and parameter gradients that go with activations of `dtype`:
// f64 for f64 (gradient checks), else f32.
constexpr DType wide_of(DType dtype) { return dtype == DType::f64 ? DType::f64 : DType::f32; }

// bfloat16: the upper half of a float; rounds to nearest even, keeps NaN a NaN.
struct bfloat16 {
  uint16_t bits = 0;
  bfloat16() = default;
  explicit bfloat16(float value) {
    const uint32_t u = std::bit_cast<uint32_t>(value);
    bits = (u & 0x7fffffffu) > 0x7f800000u ? static_cast<uint16_t>((u >> 16) | 0x0040u)
                                           : static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  explicit operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

// IEEE binary16; rounds to nearest even, overflows to infinity.
struct float16 {
  uint16_t bits = 0;
  float16() = default;
  explicit float16(float value);
  explicit operator float() const;
};

template <class T>
inline constexpr DType dtype_of = [] {
  if constexpr (std::is_same_v<T, float>)
    return DType::f32;
  else if constexpr (std::is_same_v<T, double>)
    return DType::f64;
  else if constexpr (std::is_same_v<T, bfloat16>)
    return DType::bf16;
  else if constexpr (std::is_same_v<T, float16>)
    return DType::f16;
  else if constexpr (std::is_same_v<T, int32_t>)
    return DType::i32;
  else if constexpr (std::is_same_v<T, int64_t>)
    return DType::i64;
  else if constexpr (std::is_same_v<T, uint8_t>)
    return DType::u8;
  else if constexpr (std::is_same_v<T, int8_t>)
    return DType::i8;
  else if constexpr (std::is_same_v<T, uint16_t>)
    return DType::u16;
  else if constexpr (std::is_same_v<T, bool>)
    return DType::boolean;
}();

// Calls f.template operator()<T>() with the C++ type of a floating dtype. Throws InternalError for the others.
[[noreturn]] void throw_not_float(DType dtype);
template <class F>
decltype(auto) visit_float(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f.template operator()<float>();
    case DType::bf16:
      return f.template operator()<bfloat16>();
    case DType::f16:
      return f.template operator()<float16>();
    case DType::f64:
      return f.template operator()<double>();
    default:
      throw_not_float(dtype);
  }
}

}  // namespace quern
