// A weight that a checkpoint holds as several tensors of codes and scales.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"
#include "tensor/tensor.h"

namespace quern::formats {

// What such a weight becomes in memory, which is known before it is read.
struct PackedWeight {
  Shape shape;
  DType dtype = DType::f32;
  std::function<Result<Tensor>()> tensor;  // of this shape and dtype
  int64_t scale_bytes = 0;                 // beside its blocks
};

}  // namespace quern::formats
