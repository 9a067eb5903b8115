// The numbers that blocks stand for.
#pragma once

#include "backend/api/backend.h"
#include "tensor/tensor.h"

namespace quern::quant {

inline Tensor decode(const Tensor& x) {
  const Tensor y(x.shape(), DType::f32);
  backend::run(&backend::KernelTable::decode_rows,
               backend::DecodeRowsArgs{x.shape().rows(), x.shape().cols(), x.raw(), x.dtype(),
                                       y.data<float>(), DType::f32, x.scales()});
  return y;
}

}  // namespace quern::quant
