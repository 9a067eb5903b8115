#include "formats/gguf/tensor_types.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace quern::formats {

namespace {

GgufTensorType plain(uint32_t id, std::string_view name, DType dtype) {
  return {id, name, 1, size_of(dtype), dtype};
}
GgufTensorType blocks(uint32_t id, DType dtype) {
  return {id, name_of(dtype), block_elements(dtype), block_bytes(dtype), dtype};
}

// 4, 5, 31 to 33 and 36 to 38 were types once; no current file has them.
const auto& table() {
  static const std::array kTypes = {
      plain(0, "F32", DType::f32),
      plain(1, "F16", DType::f16),
      blocks(2, DType::q4_0),
      blocks(3, DType::q4_1),
      blocks(6, DType::q5_0),
      blocks(7, DType::q5_1),
      blocks(8, DType::q8_0),
      GgufTensorType{9, "Q8_1", 32, 36, {}},
      blocks(10, DType::q2_k),
      blocks(11, DType::q3_k),
      blocks(12, DType::q4_k),
      blocks(13, DType::q5_k),
      blocks(14, DType::q6_k),
      GgufTensorType{15, "Q8_K", 256, 292, {}},
      blocks(16, DType::iq2_xxs),
      blocks(17, DType::iq2_xs),
      blocks(18, DType::iq3_xxs),
      blocks(19, DType::iq1_s),
      blocks(20, DType::iq4_nl),
      blocks(21, DType::iq3_s),
      blocks(22, DType::iq2_s),
      blocks(23, DType::iq4_xs),
      plain(24, "I8", DType::i8),
      GgufTensorType{25, "I16", 1, 2, {}},
      plain(26, "I32", DType::i32),
      plain(27, "I64", DType::i64),
      plain(28, "F64", DType::f64),
      blocks(29, DType::iq1_m),
      plain(30, "BF16", DType::bf16),
      blocks(34, DType::tq1_0),
      blocks(35, DType::tq2_0),
      blocks(39, DType::mxfp4),
      blocks(40, DType::nvfp4),
      GgufTensorType{41, "Q1_0", 128, 18, {}},
      GgufTensorType{42, "Q2_0", 64, 18, {}},
  };
  return kTypes;
}

template <class Key>
const GgufTensorType* find_type(Key key, Key GgufTensorType::*member) {
  const auto at = std::ranges::find(table(), key, member);
  return at == table().end() ? nullptr : &*at;
}

}  // namespace

const GgufTensorType* gguf_tensor_type(uint32_t id) { return find_type(id, &GgufTensorType::id); }

const GgufTensorType* gguf_tensor_type(DType dtype) {
  return find_type(std::optional(dtype), &GgufTensorType::dtype);
}

}  // namespace quern::formats
