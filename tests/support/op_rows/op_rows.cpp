#include <cmath>

#include "base/exception.h"
#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

OpRow activation_row();
OpRow attention_row();
OpRow binary_row();
OpRow cast_row();
OpRow clamp_row();
OpRow dropout_row();
OpRow embedding_row();
OpRow linear_row();
OpRow linear_cross_entropy_row();
OpRow linear_distillation_row();
OpRow mixture_row();
OpRow norm_row();
OpRow reduce_row();
OpRow replace_rows_row();
OpRow reshape_row();
OpRow rope_row();
OpRow scale_row();
OpRow softcap_row();
OpRow softmax_row();
OpRow transpose_row();

const std::vector<OpRow>& op_rows() {
  static const std::vector<OpRow> rows = {activation_row(),
                                          attention_row(),
                                          binary_row(),
                                          cast_row(),
                                          clamp_row(),
                                          dropout_row(),
                                          embedding_row(),
                                          linear_row(),
                                          linear_cross_entropy_row(),
                                          linear_distillation_row(),
                                          mixture_row(),
                                          norm_row(),
                                          reduce_row(),
                                          replace_rows_row(),
                                          reshape_row(),
                                          rope_row(),
                                          scale_row(),
                                          softcap_row(),
                                          softmax_row(),
                                          transpose_row()};
  return rows;
}

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const OpRow& row : op_rows()) names.emplace_back(row.name);
  return names;
}

const OpRow& op_row(std::string_view name) { return *std::ranges::find(op_rows(), name, &OpRow::name); }

Tolerance tolerance_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return {1e-13, 1e-11};
    case DType::f32:
      return {3e-6, 5e-5};
    case DType::f16:
      return {1.2e-3, 1.2e-2};
    case DType::bf16:
      return {1e-2, 1e-1};
    default:
      throw InternalError("no tolerance for " + std::string(name_of(dtype)));
  }
}

namespace {
template <class Draw>
Tensor filled(const Shape& shape, DType dtype, Draw&& draw) {
  const Tensor values(shape, DType::f64);
  for (double& value : values.span<double>()) value = draw();
  return values.to(dtype);
}
}  // namespace

Tensor random(Rng& rng, const Shape& shape, DType dtype, double scale) {
  return filled(shape, dtype, [&] { return rng.normal() * scale; });
}

Tensor random_off_zero(Rng& rng, const Shape& shape, DType dtype) {
  return filled(shape, dtype, [&] {
    const double value = rng.normal();
    return value + std::copysign(0.1, value);
  });
}

Tensor random_ints(Rng& rng, const Shape& shape, int32_t lowest, int32_t limit) {
  const Tensor values(shape, DType::i32);
  for (int32_t& value : values.span<int32_t>()) {
    value = lowest + static_cast<int32_t>(rng.below(static_cast<uint64_t>(limit - lowest)));
  }
  return values;
}

}  // namespace quern::ops::rows
