#include "formats/gguf/tensor_types.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace quern::formats {

namespace {

GgufTensorType held(uint32_t id, DType dtype) {
  return {id, name_of(dtype), block_elements(dtype), block_bytes(dtype), dtype};
}

// 4, 5, 31 to 33 and 36 to 38 were types once; no current file has them.
const auto& table() {
  static const std::array kTypes = {
      held(0, DType::f32),
      held(1, DType::f16),
      held(2, DType::q4_0),
      held(3, DType::q4_1),
      held(6, DType::q5_0),
      held(7, DType::q5_1),
      held(8, DType::q8_0),
      GgufTensorType{9, "Q8_1", 32, 36, {}},
      held(10, DType::q2_k),
      held(11, DType::q3_k),
      held(12, DType::q4_k),
      held(13, DType::q5_k),
      held(14, DType::q6_k),
      GgufTensorType{15, "Q8_K", 256, 292, {}},
      held(16, DType::iq2_xxs),
      held(17, DType::iq2_xs),
      held(18, DType::iq3_xxs),
      held(19, DType::iq1_s),
      held(20, DType::iq4_nl),
      held(21, DType::iq3_s),
      held(22, DType::iq2_s),
      held(23, DType::iq4_xs),
      held(24, DType::i8),
      GgufTensorType{25, "i16", 1, 2, {}},
      held(26, DType::i32),
      held(27, DType::i64),
      held(28, DType::f64),
      held(29, DType::iq1_m),
      held(30, DType::bf16),
      held(34, DType::tq1_0),
      held(35, DType::tq2_0),
      held(39, DType::mxfp4),
      held(40, DType::nvfp4),
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
