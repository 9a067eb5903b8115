// The tensor types of GGUF files: their numbers, names and blocks, and which of them are dtypes here.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tensor/dtype.h"

namespace quern::formats {

struct GgufTensorType {
  uint32_t id;
  std::string_view name;  // as name_of spells dtypes: "f32", "Q4_K"
  int64_t elements;       // of a block; 1 for plain types
  int64_t bytes;          // of a block
  // Empty for types that tensors here do not have (I16, Q8_1, ...): such a tensor is listed but cannot be
  // loaded.
  std::optional<DType> dtype;
};

// Null for numbers that the format does not have, or no longer has.
const GgufTensorType* gguf_tensor_type(uint32_t id);
// Null for dtypes that the format does not have (u8, u16, bool).
const GgufTensorType* gguf_tensor_type(DType dtype);

}  // namespace quern::formats
